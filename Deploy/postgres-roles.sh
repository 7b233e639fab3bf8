#!/bin/sh
# Makes the role and the schema of each service when a database is made: mounted into /docker-entrypoint-initdb.d.
set -eu
for service in accounts heroes calls; do
    password=$(printenv "$(echo "$service" | tr "[:lower:]" "[:upper:]")_DATABASE_PASSWORD")
    file=$(mktemp)
    printf '%s' "$password" >"$file"
    psql -q -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-techheroes}" \
        -v "service=$service" -v "file=$file" -f /deploy/role.sql
    rm -f "$file"
done
