-- Where `lockstep db doctor` tries what an engine can do; empty otherwise.
CREATE TABLE IF NOT EXISTS ls_doctor (
    id INTEGER NOT NULL,
    noted_at INTEGER NOT NULL,
    n INTEGER NOT NULL,
    words TEXT,
    digest BLOB,
    payload BLOB,
    CONSTRAINT ls_doctor_pk PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS ls_doctor_digest_ix ON ls_doctor (digest);
