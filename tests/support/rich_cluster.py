"""A cluster that holds one of everything PostgreSQL stores in files."""

PREPARED = "transfer of the third kind"
DATABASES = ("app", "zwei Städte", "copied")

_APP = """
CREATE EXTENSION amcheck;
CREATE ROLE auditor NOLOGIN;
COMMENT ON DATABASE app IS 'one of everything';

-- Values inline, compressed inline, compressed out of line, plain out of line.
CREATE TABLE documents (id int PRIMARY KEY, short text, repetitive text, noise text);
ALTER TABLE documents ALTER noise SET STORAGE EXTERNAL;
INSERT INTO documents
  SELECT i, 'short ' || i, repeat('sediment ' || i || ' ', 40 * (i % 50)),
         (SELECT string_agg(md5(i::text || j::text), '') FROM generate_series(1, 1 + i % 300) j)
  FROM generate_series(1, 600) i;
CREATE TABLE large_values AS
  SELECT i AS id, repeat(md5(i::text), 40000) AS body FROM generate_series(1, 10) i;
DELETE FROM documents WHERE id % 7 = 0;
UPDATE documents SET short = upper(short) WHERE id % 5 = 0;

-- Every access method of an index.
CREATE TABLE places (
  id bigint GENERATED ALWAYS AS IDENTITY, name text, tags text[], data jsonb, spot point,
  period int4range, words tsvector, day date, EXCLUDE USING gist (period WITH &&));
INSERT INTO places (name, tags, data, spot, period, words, day)
  SELECT md5(i::text), ARRAY[(i % 10)::text, (i % 77)::text],
         jsonb_build_object('i', i, 'parity', i % 2), point(i % 1000, i / 7),
         int4range(i * 2, i * 2 + 1), to_tsvector('english', 'layer ' || i || ' of ' || i % 9),
         date '2001-01-01' + i % 5000
  FROM generate_series(1, 20000) i;
CREATE UNIQUE INDEX places_btree ON places (id);
CREATE INDEX places_btree_expression ON places (lower(name) DESC) INCLUDE (day) WHERE id % 3 = 0;
CREATE INDEX places_hash ON places USING hash (name);
CREATE INDEX places_gin_array ON places USING gin (tags);
CREATE INDEX places_gin_json ON places USING gin (data jsonb_path_ops) WITH (fastupdate = on);
CREATE INDEX places_gin_words ON places USING gin (words);
CREATE INDEX places_gist ON places USING gist (spot);
CREATE INDEX places_spgist ON places USING spgist (spot);
CREATE INDEX places_spgist_text ON places USING spgist (name);
CREATE INDEX places_brin ON places USING brin (day) WITH (pages_per_range = 8);
CREATE INDEX places_brin_bloom ON places USING brin (name text_bloom_ops);
DELETE FROM places WHERE id BETWEEN 3000 AND 9000;
INSERT INTO places (name, tags, data, spot, period, words, day)
  SELECT md5(i::text), ARRAY['pending'], jsonb_build_object('i', i), point(i, i),
         int4range(i * 2, i * 2 + 1), to_tsvector('english', 'pending'), date '2020-02-29'
  FROM generate_series(20001, 20500) i;
BEGIN;
INSERT INTO places (name, period) VALUES ('never happened', int4range(-10, -9));
ROLLBACK;

SELECT lo_from_bytea(70001, decode(repeat('00ff10', 20000), 'hex'));
SELECT lo_from_bytea(70002, convert_to(repeat('varve ', 5000), 'UTF8'));
COMMENT ON LARGE OBJECT 70001 IS 'a large object';
GRANT SELECT ON LARGE OBJECT 70002 TO auditor;

CREATE UNLOGGED TABLE scratch (id serial PRIMARY KEY, note text);
INSERT INTO scratch (note) SELECT md5(i::text) FROM generate_series(1, 1000) i;
CREATE UNLOGGED SEQUENCE scratch_numbers;

CREATE SEQUENCE receipts START 1000 INCREMENT 7 CACHE 1;
SELECT count(nextval('receipts')) FROM generate_series(1, 100);

CREATE TABLE measurements (at timestamptz, sensor int, value float8) PARTITION BY RANGE (at);
CREATE TABLE measurements_2024 PARTITION OF measurements
  FOR VALUES FROM ('2024-01-01Z') TO ('2025-01-01Z') PARTITION BY HASH (sensor);
CREATE TABLE measurements_2024_0 PARTITION OF measurements_2024
  FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measurements_2024_1 PARTITION OF measurements_2024
  FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE measurements_rest PARTITION OF measurements DEFAULT;
CREATE INDEX measurements_at ON measurements (at);
INSERT INTO measurements
  SELECT timestamptz '2023-12-30Z' + i * interval '1 hour', i % 17, sqrt(i)
  FROM generate_series(1, 9000) i;

CREATE MATERIALIZED VIEW sensors AS
  SELECT sensor, count(*) AS readings FROM measurements GROUP BY sensor ORDER BY sensor;
CREATE UNIQUE INDEX sensors_sensor ON sensors (sensor);
CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE TABLE empty_table (id int PRIMARY KEY);
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';

VACUUM (ANALYZE) documents;
VACUUM (FREEZE) measurements;
ANALYZE;

-- Mapped and rewritten catalogs: their files are found through pg_filenode.map.
VACUUM FULL pg_class;
REINDEX TABLE pg_proc;
"""

# The lock that the prepared transaction keeps and the later one on the same row make a multixact.
_PREPARED = f"""
CREATE TABLE accounts (id int PRIMARY KEY, balance int);
INSERT INTO accounts SELECT i, 100 FROM generate_series(1, 50) i;
BEGIN;
SELECT FROM accounts WHERE id = 3 FOR KEY SHARE;
UPDATE accounts SET balance = balance - 30 WHERE id = 1;
SAVEPOINT inner_step;
UPDATE accounts SET balance = balance + 30 WHERE id = 2;
PREPARE TRANSACTION '{PREPARED}';
BEGIN;
SELECT FROM accounts WHERE id = 3 FOR KEY SHARE;
COMMIT;
"""


def fill(cluster):
    """Fills a running cluster; it may be stopped and imported afterwards."""
    cluster.sql("CREATE DATABASE app")
    cluster.sql(_APP, "app")
    cluster.pgbench("-i", "-q", "-s", "1", "--foreign-keys", database="app")
    cluster.pgbench("-n", "-t", "200", "-c", "4", database="app")
    cluster.sql('CREATE DATABASE "zwei Städte" TEMPLATE template0 STRATEGY wal_log')
    cluster.sql("CREATE TABLE stadt AS SELECT i AS id, md5(i::text) AS name "
                "FROM generate_series(1, 5000) i; CREATE INDEX ON stadt (name)", "zwei Städte")
    cluster.sql("CREATE DATABASE copied TEMPLATE app STRATEGY file_copy")
    cluster.sql("CREATE DATABASE gone; DROP DATABASE gone")
    cluster.sql(_PREPARED, "app")


SETTINGS = {"track_commit_timestamp": "on"}
