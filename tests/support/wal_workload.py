"""Makes a running cluster write WAL records of as many kinds as a small workload can."""

SETTINGS = {
    "wal_level": "logical",
    "track_commit_timestamp": "on",
    "max_wal_size": "2GB",
    "wal_keep_size": "2GB",
    "checkpoint_timeout": "1h",
    "allow_in_place_tablespaces": "on",
}

_INDEXES = """
CREATE EXTENSION bloom;
CREATE TABLE places (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, tags text[], data jsonb, spot point,
  day date, number int);
CREATE INDEX ON places USING hash (name);
CREATE INDEX ON places USING gin (tags) WITH (fastupdate = on);
CREATE INDEX ON places USING gin (data);
CREATE INDEX ON places USING gist (spot);
CREATE INDEX ON places USING spgist (spot);
CREATE INDEX ON places USING spgist (name);
CREATE INDEX ON places USING brin (day) WITH (pages_per_range = 2, autosummarize = off);
CREATE INDEX ON places USING bloom (number);
CREATE INDEX ON places (number);
INSERT INTO places (name, tags, data, spot, day, number)
  SELECT md5(i::text), ARRAY[(i % 10)::text, (i % 77)::text], jsonb_build_object('i', i, 'odd', i % 2),
         point(i % 1000, i / 7), date '2001-01-01' + i % 5000, i % 5
  FROM generate_series(1, {rows}) i;
SELECT count(brin_summarize_new_values(c.oid)) FROM pg_class c JOIN pg_am a ON c.relam = a.oid
  WHERE amname = 'brin';
CHECKPOINT;
UPDATE places SET day = day + 1, name = name || 'x' WHERE id % 3 = 0;
UPDATE places SET number = number + 1 WHERE id % 5 = 0;
DELETE FROM places WHERE id % 2 = 0 OR id BETWEEN {rows} / 3 AND {rows} / 2;
VACUUM places;
INSERT INTO places (name, tags, data, spot, day, number)
  SELECT md5(i::text), ARRAY['later'], jsonb_build_object('j', i), point(i, i), date '2020-02-29', i
  FROM generate_series(1, {rows} / 4) i;
DELETE FROM places WHERE id > {rows};
VACUUM (FREEZE) places;
SELECT brin_desummarize_range(c.oid, 0) FROM pg_class c JOIN pg_am a ON c.relam = a.oid
  WHERE amname = 'brin';
REINDEX TABLE places;
"""

_ROWS = """
CREATE TABLE plain (id int PRIMARY KEY, body text) WITH (fillfactor = 70);
INSERT INTO plain SELECT i, repeat(md5(i::text), i % 40) FROM generate_series(1, 2000) i;
COPY plain (id) FROM PROGRAM 'seq 5001 5400';
VACUUM (FREEZE) plain;
-- Each of these clears bits of the visibility map.
DELETE FROM plain WHERE id % 100 = 0;
VACUUM (FREEZE) plain;
UPDATE plain SET body = 'shorter' WHERE id % 90 = 1;
VACUUM (FREEZE) plain;
UPDATE plain SET id = id + 10000 WHERE id % 95 = 2;
VACUUM (FREEZE) plain;
INSERT INTO plain SELECT i, 'again' FROM generate_series(20001, 20300) i;
VACUUM (FREEZE) plain;
COPY plain (id) FROM PROGRAM 'seq 30001 30050';
VACUUM (FREEZE) plain;
SELECT count(*) FROM (SELECT FROM plain WHERE id % 50 = 3 FOR UPDATE) AS locked;
INSERT INTO plain VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET body = excluded.body;
INSERT INTO plain VALUES (-1, 'x') ON CONFLICT (id) DO NOTHING;
-- A row that moves from one such page to another.
CREATE TABLE moving (id int, body text);
ALTER TABLE moving ALTER body SET STORAGE PLAIN;
INSERT INTO moving SELECT i, repeat('x', 700) FROM generate_series(1, 110) i;
DELETE FROM moving WHERE id > 55;
INSERT INTO moving VALUES (111, 'keeps the pages');
VACUUM (FREEZE) moving;
UPDATE moving SET body = repeat('y', 3000) WHERE id = 5;
CREATE TABLE large AS SELECT repeat(md5(random()::text), 4000) AS body FROM generate_series(1, 20);
ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
INSERT INTO large SELECT string_agg(md5(i::text), '') FROM generate_series(1, 30000) i;
SELECT count(lo_from_bytea(0, decode(repeat('00ff10', 20000), 'hex'))) FROM generate_series(1, 3);

BEGIN;
CREATE TABLE gone (i int);
INSERT INTO gone SELECT generate_series(1, 100);
SAVEPOINT one;
INSERT INTO gone VALUES (0);
SAVEPOINT two;
CREATE TABLE gone_too (i int PRIMARY KEY);
ROLLBACK TO one;
INSERT INTO gone VALUES (1);
ROLLBACK;
DO $$ BEGIN FOR i IN 1..150 LOOP
  BEGIN INSERT INTO plain VALUES (100000 + i, 'sub');
  EXCEPTION WHEN unique_violation THEN NULL; END;
END LOOP; END $$;

BEGIN;
UPDATE plain SET body = 'prepared' WHERE id = 7;
CREATE TABLE of_the_prepared (i int PRIMARY KEY);
SAVEPOINT inner_step;
DROP TABLE large;
PREPARE TRANSACTION 'the first';
BEGIN;
UPDATE plain SET body = 'prepared' WHERE id = 8;
CREATE TABLE of_the_prepared_too (i int PRIMARY KEY);
PREPARE TRANSACTION 'the second';
BEGIN;
SELECT FROM plain WHERE id = 9 FOR KEY SHARE;
PREPARE TRANSACTION 'the third';
-- Its lock and that of the prepared one make a multixact.
BEGIN;
SELECT FROM plain WHERE id = 9 FOR SHARE;
UPDATE plain SET body = body || '!' WHERE id = 9;
COMMIT;
COMMIT PREPARED 'the first';
ROLLBACK PREPARED 'the second';
CHECKPOINT;
COMMIT PREPARED 'the third';

CREATE TABLE shrinking AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
VACUUM shrinking;
DELETE FROM shrinking WHERE i > 100;
VACUUM shrinking;
TRUNCATE shrinking;
CREATE SEQUENCE numbers;
SELECT count(nextval('numbers')) FROM generate_series(1, 100);
SELECT setval('numbers', 5);
CREATE UNLOGGED TABLE unlogged (i int PRIMARY KEY);
CREATE TYPE mood AS ENUM ('glad', 'sad');
ALTER TABLE plain ADD COLUMN feeling mood DEFAULT 'glad';
ALTER TABLE plain ALTER id TYPE bigint;
VACUUM FULL pg_class;
CLUSTER plain USING plain_pkey;
DROP TABLE unlogged, shrinking;
SELECT pg_logical_emit_message(true, 'note', 'with the transaction');
SELECT pg_logical_emit_message(false, 'note', 'at once');
SELECT pg_create_restore_point('here');
SELECT pg_backup_start('a backup', true);
SELECT count(pg_backup_stop(false));
SELECT pg_replication_origin_create('elsewhere');
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/ABCDEF', now());
UPDATE plain SET body = 'from elsewhere' WHERE id = 11;
COMMIT;
SELECT pg_replication_origin_session_reset();
SELECT pg_replication_origin_advance('elsewhere', '0/FFFFFF');
SELECT pg_replication_origin_drop('elsewhere');
"""

_COMPRESSED = """
SET wal_compression = {method};
CREATE TABLE with_{method} (i int, body text);
INSERT INTO with_{method}
  SELECT i, md5(i::text) || repeat('abc', i % 40) FROM generate_series(1, 4000) i;
-- Images of pages that nothing changes later: what the server writes to its files is the same.
CREATE INDEX kept_{method}_btree ON with_{method} (i) WHERE i > 0;
CREATE INDEX kept_{method}_text ON with_{method} (body text_pattern_ops) WHERE i > 0;
CREATE INDEX kept_{method}_spgist ON with_{method} USING spgist (body) WHERE i > 0;
CHECKPOINT;
UPDATE with_{method} SET i = -i;
SELECT count(*) FROM with_{method};
VACUUM (INDEX_CLEANUP off) with_{method};
"""

COMPRESSIONS = ("off", "pglz", "lz4", "zstd")


def of_all_kinds(cluster, rows=6000):
    """Runs with a server whose settings are SETTINGS, or others."""
    cluster.sql("CREATE DATABASE app")
    cluster.sql("CHECKPOINT; SELECT pg_switch_wal()")
    cluster.sql(_INDEXES.format(rows=rows), "app")
    cluster.sql(_ROWS, "app")
    for name in COMPRESSIONS:
        cluster.sql(_COMPRESSED.format(method=name), "app")
    cluster.sql("CREATE TABLESPACE here LOCATION ''")
    cluster.sql("CREATE TABLE there (i int PRIMARY KEY) TABLESPACE here; DROP TABLE there")
    cluster.sql("CREATE DATABASE logged TEMPLATE template0 STRATEGY wal_log")
    cluster.sql("CREATE DATABASE copied TEMPLATE app STRATEGY file_copy TABLESPACE here")
    cluster.sql("ALTER DATABASE copied SET TABLESPACE pg_default")
    cluster.sql("DROP DATABASE copied; DROP DATABASE logged; DROP TABLESPACE here")
    cluster.sql("ALTER SYSTEM SET full_page_writes = off; SELECT pg_reload_conf(); "
                "SELECT pg_switch_wal()")
