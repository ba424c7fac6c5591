"""Work that makes a server log every kind of record that changes a block."""

BEFORE = """
CREATE EXTENSION bloom;
CREATE EXTENSION btree_gist;

CREATE TABLE accounts (id int PRIMARY KEY, branch int, note text, filler text) WITH (fillfactor = 85);
INSERT INTO accounts SELECT i, i % 400, md5(i::text), repeat('f', i % 60) FROM generate_series(1, 8000) i;
CREATE INDEX accounts_branch ON accounts (branch);
CREATE INDEX accounts_note ON accounts (note);
CREATE TABLE owners (id int PRIMARY KEY, name text);
INSERT INTO owners SELECT i, 'owner ' || i FROM generate_series(1, 600) i;
CREATE TABLE cards (owner int REFERENCES owners, number bigint);

CREATE TABLE documents (id int, tags int[], words tsvector);
INSERT INTO documents SELECT i, ARRAY[i % 90, i % 41, i % 13],
  to_tsvector('simple', md5(i::text) || ' page ' || i % 30) FROM generate_series(1, 2500) i;
CREATE INDEX documents_tags ON documents USING gin (tags) WITH (fastupdate = on);
CREATE INDEX documents_words ON documents USING gin (words) WITH (fastupdate = off);
CREATE TABLE postings (tags int[]);
INSERT INTO postings SELECT ARRAY[i % 4] FROM generate_series(1, 12000) i;
CREATE INDEX postings_tags ON postings USING gin (tags);

CREATE TABLE places (id int, spot point, span int4range);
INSERT INTO places SELECT i, point(i % 250, (i * 7) % 301), int4range(i, i + i % 40 + 1)
  FROM generate_series(1, 4000) i;
CREATE INDEX places_spot ON places USING gist (spot);
CREATE INDEX places_span ON places USING gist (span);
CREATE INDEX places_id ON places USING gist (id);

CREATE TABLE sessions (id int, token text);
INSERT INTO sessions SELECT i, md5((i % 3000)::text) FROM generate_series(1, 4000) i;
CREATE INDEX sessions_token ON sessions USING hash (token);
CREATE INDEX sessions_id ON sessions USING hash (id);

CREATE TABLE readings (id int, at timestamp, value text) WITH (fillfactor = 70);
INSERT INTO readings SELECT i, timestamp '2020-01-01' + i * interval '1 min', repeat('r', 80)
  FROM generate_series(1, 9000) i;
CREATE INDEX readings_brin ON readings USING brin (id, at) WITH (pages_per_range = 2);
CREATE INDEX readings_multi ON readings USING brin (id int4_minmax_multi_ops) WITH (pages_per_range = 4);

CREATE TABLE names (id int, name text, spot point);
INSERT INTO names SELECT i, md5(i::text), point((i * 13) % 997, (i * 29) % 991)
  FROM generate_series(1, 4000) i;
CREATE INDEX names_name ON names USING spgist (name);
CREATE INDEX names_quad ON names USING spgist (spot);
CREATE INDEX names_kd ON names USING spgist (spot kd_point_ops);

CREATE TABLE signatures (a int, b int, c int);
INSERT INTO signatures SELECT i, i % 50, i % 333 FROM generate_series(1, 4000) i;
CREATE INDEX signatures_bloom ON signatures USING bloom (a, b, c);

CREATE TABLE letters (id int PRIMARY KEY, body text);
ALTER TABLE letters ALTER body SET STORAGE EXTERNAL;
INSERT INTO letters SELECT i, repeat(md5(i::text), 50 + i % 200) FROM generate_series(1, 150) i;
CREATE TABLE shrinking (id int PRIMARY KEY, filler text);
INSERT INTO shrinking SELECT i, repeat('s', 40) FROM generate_series(1, 12000) i;
CREATE TABLE tree (id bigint PRIMARY KEY, value text);
INSERT INTO tree SELECT i * 2, 't' FROM generate_series(1, 20000) i;
CREATE SEQUENCE numbers;
VACUUM ANALYZE;
"""

FIRST = """
UPDATE accounts SET filler = 'hot ' || id WHERE id % 7 = 0;
UPDATE accounts SET branch = branch + 1 WHERE id % 5 = 0;
UPDATE accounts SET note = md5(note) WHERE id % 11 = 0;
INSERT INTO accounts SELECT i, i % 400, md5(i::text), 'new' FROM generate_series(8001, 16000) i;
DELETE FROM accounts WHERE id BETWEEN 1500 AND 4000;
INSERT INTO accounts SELECT i, 1, 'again', 'x' FROM generate_series(15500, 16500) i
  ON CONFLICT (id) DO UPDATE SET filler = 'conflict';
BEGIN; SAVEPOINT one;
INSERT INTO accounts SELECT i, 1, 'never', 'y' FROM generate_series(50001, 50300) i;
ROLLBACK TO one; INSERT INTO accounts VALUES (60001, 1, 'kept', 'z'); COMMIT;

-- Rows that one transaction locks and a part of it changes have multixacts.
BEGIN; SELECT count(*) FROM (SELECT * FROM owners WHERE id % 3 = 0 FOR KEY SHARE) o;
SAVEPOINT two; UPDATE owners SET name = name || '!' WHERE id % 3 = 0; COMMIT;
INSERT INTO cards SELECT (i % 600) + 1, i FROM generate_series(1, 1500) i;
BEGIN; SELECT count(*) FROM (SELECT * FROM owners WHERE id % 4 = 0 FOR SHARE) o;
SAVEPOINT three; SELECT count(*) FROM (SELECT * FROM owners WHERE id % 8 = 0 FOR UPDATE) o;
DELETE FROM cards WHERE owner % 7 = 0; COMMIT;

INSERT INTO documents SELECT i, ARRAY[i % 100, i % 537, i % 11],
  to_tsvector('simple', md5(i::text) || ' z' || i % 20) FROM generate_series(2501, 5000) i;
UPDATE documents SET tags = tags || id WHERE id % 9 = 0;
DELETE FROM documents WHERE id % 3 = 0;
DELETE FROM postings WHERE tags[1] < 3; VACUUM postings;
INSERT INTO postings SELECT ARRAY[i % 4, i] FROM generate_series(1, 2000) i; VACUUM postings;
INSERT INTO places SELECT i, point(i % 3000, (i * 7) % 3111), int4range(i, i + i % 30 + 1)
  FROM generate_series(4001, 8000) i;
UPDATE places SET spot = point(id % 77, id % 33) WHERE id % 10 = 0;
DELETE FROM places WHERE id BETWEEN 500 AND 5000; VACUUM places; VACUUM places;
INSERT INTO sessions SELECT i, md5((i % 5000)::text) FROM generate_series(4001, 16000) i;
DELETE FROM sessions WHERE id % 4 <> 0;
SET enable_seqscan = off;
SELECT sum((SELECT count(*) FROM sessions WHERE token = md5(i::text))) FROM generate_series(1, 2500) i;
RESET enable_seqscan;
INSERT INTO readings SELECT i, timestamp '2020-01-01' + i * interval '1 min', repeat('r', 80)
  FROM generate_series(9001, 18000) i;
SELECT brin_desummarize_range('readings_brin', 4);
SELECT brin_summarize_new_values('readings_brin'), brin_summarize_new_values('readings_multi');
UPDATE readings SET id = -id, value = repeat('u', 300) WHERE id % 50 = 0;
INSERT INTO names SELECT i, md5(i::text) || md5(i::text), point((i * 17) % 1997, (i * 31) % 1991)
  FROM generate_series(4001, 9000) i;
DELETE FROM names WHERE id % 2 = 0;
INSERT INTO signatures SELECT i, i % 50, i % 333 FROM generate_series(4001, 8000) i;
DELETE FROM signatures WHERE b < 20;
INSERT INTO letters SELECT i, repeat(md5(i::text), 50 + i % 200) FROM generate_series(151, 220) i;
UPDATE letters SET body = repeat('q' || id, 2500) WHERE id % 6 = 0;
DELETE FROM letters WHERE id % 5 = 0;
DELETE FROM shrinking WHERE id % 2 = 0 OR id > 7000;
DELETE FROM tree WHERE id BETWEEN 400 AND 36000; VACUUM tree; VACUUM tree;
INSERT INTO tree SELECT i, 'again' FROM generate_series(1001, 20001, 2) i;
SELECT count(nextval('numbers')) FROM generate_series(1, 200);
VACUUM accounts; VACUUM documents; VACUUM sessions; VACUUM names; VACUUM shrinking; VACUUM letters;
VACUUM readings; VACUUM signatures;
BEGIN; INSERT INTO owners VALUES (9001, 'prepared'); PREPARE TRANSACTION 'later';
"""

SECOND = """
COMMIT PREPARED 'later';
CREATE TABLE loaded (id int, branch int, note text, filler text);
COPY accounts TO '{folder}/accounts.copy';
COPY loaded FROM '{folder}/accounts.copy';
BEGIN; CREATE TABLE frozen (a int, b text); INSERT INTO frozen SELECT i, 'f' || i FROM generate_series(1, 2500) i;
COMMIT; COPY frozen TO '{folder}/frozen.copy';
BEGIN; TRUNCATE frozen; COPY frozen FROM '{folder}/frozen.copy' WITH (FREEZE); COMMIT;
CREATE UNLOGGED TABLE passing (id int PRIMARY KEY, tags int[], spot point, name text);
CREATE INDEX passing_gin ON passing USING gin (tags);
CREATE INDEX passing_gist ON passing USING gist (spot);
CREATE INDEX passing_spgist ON passing USING spgist (name);
CREATE INDEX passing_hash ON passing USING hash (name);
CREATE INDEX passing_brin ON passing USING brin (id);
CREATE INDEX passing_bloom ON passing USING bloom (id);
INSERT INTO passing SELECT i, ARRAY[i], point(i, i), 'p' || i FROM generate_series(1, 500) i;

-- On pages that are all visible, so that bits of the visibility map are cleared.
UPDATE shrinking SET filler = 'seen' WHERE id % 10 = 1;
DELETE FROM shrinking WHERE id % 10 = 3;
BEGIN; SELECT count(*) FROM (SELECT * FROM shrinking WHERE id % 77 = 1 FOR UPDATE) s;
SELECT count(*) FROM (SELECT * FROM shrinking WHERE id % 10 = 5 FOR SHARE) s; COMMIT;
INSERT INTO shrinking SELECT i, 'grown again' FROM generate_series(20001, 23000) i;

INSERT INTO sessions SELECT i, md5((i % 5000)::text) FROM generate_series(16001, 22000) i;
UPDATE accounts SET branch = branch + 1 WHERE id % 3 = 0;
INSERT INTO places SELECT i, point(i % 300, (i * 7) % 311), int4range(i, i + 3)
  FROM generate_series(30001, 32000) i;
INSERT INTO names SELECT i, md5(i::text), point((i * 13) % 997, (i * 29) % 991)
  FROM generate_series(30001, 32000) i;
INSERT INTO documents SELECT i, ARRAY[i % 10, i % 37], to_tsvector('simple', 'a' || i % 7 || ' b' || i)
  FROM generate_series(20001, 22000) i;
CREATE INDEX late_btree ON accounts (branch, note);
CREATE INDEX late_hash ON accounts USING hash (note);
CREATE INDEX late_brin ON accounts USING brin (branch);
CREATE INDEX late_gist ON accounts USING gist (branch);
CREATE INDEX late_spgist ON accounts USING spgist (note);
CREATE INDEX late_gin ON documents USING gin (tags);
DELETE FROM sessions WHERE id % 3 = 1;
DELETE FROM names WHERE id > 31000;
DELETE FROM places WHERE id % 7 < 3;
DELETE FROM documents WHERE id > 21000;
DELETE FROM letters WHERE id < 60;
DELETE FROM tree; VACUUM tree; VACUUM tree;
INSERT INTO tree SELECT i, 'last' FROM generate_series(1, 5000) i;
VACUUM; VACUUM (FREEZE) names; VACUUM (FREEZE) accounts;
REINDEX INDEX accounts_branch;
CREATE UNIQUE INDEX loaded_id ON loaded (id);
CLUSTER loaded USING loaded_id;
ALTER TABLE loaded ADD c int DEFAULT 5; INSERT INTO loaded VALUES (0, 1, 'a', 'b', 2);
ALTER TABLE frozen SET UNLOGGED; ALTER TABLE frozen SET LOGGED;
CREATE DATABASE copied;
UPDATE accounts SET filler = 'end' WHERE id % 13 = 0;
"""
