-- One role and one schema for a service, which has rights on nothing else. Run by an administrator in the database of the
-- installation, with psql's variables `service` (the name of role and schema) and `file` (where the role's password is).
\set password `cat :'file'`
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SELECT format('CREATE ROLE %I LOGIN', :'service')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'service')
\gexec
ALTER ROLE :"service" PASSWORD :'password';
CREATE SCHEMA IF NOT EXISTS :"service" AUTHORIZATION :"service";
