-- Before the migrations, in the script that `lockstep db sql` prints for a DBA. A text whose {mark} was not
-- given is left out.
ALTER SESSION SET CURRENT_SCHEMA = {schema};
