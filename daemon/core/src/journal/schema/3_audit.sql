-- What was read back from each FN, and what did not match.
--
-- A program of schema 1 or 2 never reads or writes these tables: it makes documents under intents as ever, and leaves
-- audited_fd where it is. What it made is read back when a program of schema 3 works again, and a finding that nobody
-- cleared stops its register again then; until then that register works as it did before there was an audit.

-- A document as it was read, without the buyer's tags: code is the kind of the FFD; tlv NULL means that the FN no
-- longer keeps it whole.
CREATE TABLE document_tags (id INTEGER PRIMARY KEY, fn INTEGER NOT NULL REFERENCES fns, fd INTEGER NOT NULL,
    code INTEGER NOT NULL, tlv BLOB, read_at INTEGER NOT NULL, sum BLOB NOT NULL, UNIQUE (fn, fd)) STRICT;
-- Documents that no job, shift or order of ours made.
CREATE TABLE foreign_documents (id INTEGER PRIMARY KEY, fn INTEGER NOT NULL REFERENCES fns, fd INTEGER NOT NULL,
    code INTEGER NOT NULL, fp INTEGER, sign INTEGER, total INTEGER, time TEXT, key TEXT, noted_at INTEGER NOT NULL,
    sum BLOB NOT NULL, UNIQUE (fn, fd)) STRICT;
-- What only a person can judge. A finding that is not cleared stops the register; one that is stays as it was told. job:
-- its row number, here or in an archive.
CREATE TABLE findings (id INTEGER PRIMARY KEY, fn INTEGER NOT NULL REFERENCES fns, fd INTEGER NOT NULL,
    code TEXT NOT NULL, detail TEXT NOT NULL, job INTEGER, at INTEGER NOT NULL, sum BLOB NOT NULL,
    cleared_at INTEGER, cleared_by TEXT, cleared_reason TEXT, clear_sum BLOB) STRICT;
CREATE UNIQUE INDEX findings_open ON findings (fn, fd, code) WHERE cleared_at IS NULL;
