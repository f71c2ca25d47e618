-- Where `lockstep db doctor` tries what an engine can do; empty otherwise.
CREATE TABLE IF NOT EXISTS ls_doctor (
    id BIGINT NOT NULL,
    noted_at BIGINT NOT NULL,
    n BIGINT NOT NULL,
    words VARCHAR(80),
    digest BYTEA,
    payload BYTEA,
    CONSTRAINT ls_doctor_pk PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS ls_doctor_digest_ix ON ls_doctor (digest);
