-- Rates rise with the years, so the heroes of many years in a row can all be too cheap, or too dear: whether a year has
-- anybody who is asked for is one look here.
CREATE INDEX heroes_years_rate ON heroes.heroes (years_of_exp, rate_in_cents) WHERE state = 'accepted';
