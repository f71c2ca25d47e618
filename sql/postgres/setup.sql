-- Before the migrations, in the script that `lockstep db sql` prints for a DBA. A text whose {mark} was not
-- given is left out.
CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner};
CREATE SCHEMA IF NOT EXISTS {schema};
SET ROLE {owner};
SET search_path TO {schema};
