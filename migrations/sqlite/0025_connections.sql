-- How an account's deliveries are connected, and two more reasons for an attempt to have no answer. Keep in step with
-- migrations/postgres.

-- What a CHECK asks for is nowhere but in the table's text: no row is written anew (sqlite.org/lang_altertable.html, 7).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
    SET sql = replace(sql, 'error_class = ''egress''', 'error_class = ''egress'' OR error_class = ''proxy'' OR error_class = ''authorization''')
    WHERE type = 'table' AND name = 'attempts';
PRAGMA writable_schema = RESET;

CREATE TABLE account_connections (
    account_id      BLOB    NOT NULL PRIMARY KEY,
    authorities     TEXT,
    proxy           TEXT,
    updated_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
