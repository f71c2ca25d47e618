-- What the account needs under which a node runs, when another one owns the tables. The text with {table} is
-- for each table that the migrations make.
GRANT SELECT ON ls_schema_version TO {user};
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {user};
