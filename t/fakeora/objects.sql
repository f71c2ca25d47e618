-- objects.sql: what Oracle has in every database and PostgreSQL lacks, in the schema sys; run once by
-- oracle_start of t/lib.sh. The functions named fakeora_* are called by the driver.
CREATE SCHEMA sys;
CREATE VIEW sys.dual AS SELECT CAST('X' AS VARCHAR(1)) AS dummy;

CREATE FUNCTION sys.sys_extract_utc(TIMESTAMPTZ) RETURNS TIMESTAMP LANGUAGE sql STABLE
    AS $$ SELECT $1 AT TIME ZONE 'UTC' $$;
CREATE FUNCTION sys.empty_blob() RETURNS BYTEA LANGUAGE sql IMMUTABLE AS $$ SELECT ''::bytea $$;
CREATE FUNCTION sys.rawtohex(BYTEA) RETURNS TEXT LANGUAGE sql IMMUTABLE
    AS $$ SELECT upper(encode($1, 'hex')) $$;
CREATE FUNCTION sys.hextoraw(TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE
    AS $$ SELECT decode($1, 'hex') $$;
CREATE FUNCTION sys.sys_context(TEXT, TEXT) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT CASE upper($2) WHEN 'CURRENT_SCHEMA' THEN upper(current_schema())
        WHEN 'SESSION_USER' THEN upper(session_user) WHEN 'SESSIONID' THEN pg_backend_pid()::text
        WHEN 'DATABASE_ROLE' THEN CASE WHEN pg_is_in_recovery() THEN 'PHYSICAL STANDBY' ELSE 'PRIMARY' END
        WHEN 'SERVICE_NAME' THEN current_database() WHEN 'DB_NAME' THEN current_database() END $$;

-- The dictionary, as far as it is asked: what this session may see, in upper case.
CREATE VIEW sys.all_users AS SELECT upper(nspname) AS username FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema';
CREATE VIEW sys.all_tables AS SELECT upper(schemaname) AS owner, upper(tablename) AS table_name,
    c.relpages AS blocks, CAST(NULLIF(c.reltuples, -1) AS BIGINT) AS num_rows
    FROM pg_catalog.pg_tables JOIN pg_catalog.pg_class c
        ON c.oid = to_regclass(quote_ident(schemaname) || '.' || quote_ident(tablename))
    WHERE has_table_privilege(c.oid, 'SELECT');
CREATE VIEW sys.user_tables AS SELECT table_name FROM sys.all_tables WHERE owner = upper(session_user);
CREATE VIEW sys.all_tab_columns AS SELECT upper(table_schema) AS owner, upper(table_name) AS table_name,
    upper(column_name) AS column_name, ordinal_position AS column_id FROM information_schema.columns;
CREATE VIEW sys.user_tab_columns AS SELECT table_name, column_name, column_id
    FROM sys.all_tab_columns WHERE owner = upper(session_user);
CREATE VIEW sys.all_tab_privs AS SELECT upper(table_schema) AS table_schema, upper(table_name) AS table_name,
    upper(grantee) AS grantee, privilege_type AS privilege FROM information_schema.table_privileges;
CREATE VIEW sys.session_privs AS SELECT 'CREATE SESSION' AS privilege UNION ALL SELECT 'CREATE TABLE';
CREATE VIEW sys.product_component_version AS SELECT '19.0.0.0.0' AS version;
CREATE VIEW sys.nls_database_parameters AS SELECT 'NLS_CHARACTERSET' AS parameter, 'AL32UTF8' AS value;
CREATE VIEW sys.all_indexes AS SELECT upper(schemaname) AS owner, upper(indexname) AS index_name,
    upper(tablename) AS table_name FROM pg_catalog.pg_indexes;

CREATE FUNCTION sys.fakeora_raise(code INTEGER, says TEXT) RETURNS VOID LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'ORA-%: %', lpad(code::text, 5, '0'), says; END $$;
-- What RAISE_APPLICATION_ERROR does behind a write that found no row.
CREATE FUNCTION sys.fakeora_fence(n BIGINT, code INTEGER, says TEXT) RETURNS VOID LANGUAGE plpgsql
    AS $$ BEGIN IF n = 0 THEN PERFORM sys.fakeora_raise(code, says); END IF; END $$;
-- ALTER SESSION SET CURRENT_SCHEMA.
CREATE FUNCTION sys.fakeora_schema(name TEXT) RETURNS VOID LANGUAGE plpgsql AS $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = lower(name)) THEN
        PERFORM sys.fakeora_raise(1435, 'user does not exist');
    END IF;
    PERFORM set_config('search_path', quote_ident(lower(name)) || ', sys', false);
END $$;
-- raw_16: at most 16 bytes. vc_16: a VARCHAR2 that counts bytes. Two sessions may make one at a time.
CREATE FUNCTION sys.fakeora_domain(name TEXT) RETURNS VOID LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF to_regtype('sys.' || name) IS NULL THEN
        EXECUTE format('CREATE DOMAIN sys.%I AS %s CHECK (octet_length(VALUE) <= %s)', name,
            CASE WHEN name LIKE 'raw%' THEN 'bytea' ELSE 'varchar' END, split_part(name, '_', 2)::integer);
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA sys TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA sys TO PUBLIC;
-- Ends the own session, as a DBA would.
CREATE FUNCTION sys.fakeora_end_session() RETURNS BOOLEAN LANGUAGE sql
    AS $$ SELECT pg_terminate_backend(pg_backend_pid()) $$;
