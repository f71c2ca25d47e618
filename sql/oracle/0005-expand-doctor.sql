-- Where `lockstep db doctor` tries what an engine can do; empty otherwise.
CREATE TABLE ls_doctor (
    id NUMBER(19) NOT NULL,
    noted_at NUMBER(19) NOT NULL,
    n NUMBER(19) NOT NULL,
    words VARCHAR2(80 CHAR),
    digest RAW(34),
    payload BLOB,
    CONSTRAINT ls_doctor_pk PRIMARY KEY (id)
);
CREATE INDEX ls_doctor_digest_ix ON ls_doctor (digest);
