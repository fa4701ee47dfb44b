-- What questions to models cost, summed: a run of a million questions is a row for each day and model.

CREATE TABLE spend (
    job        TEXT    NOT NULL,             -- what the caller calls the run
    day        INTEGER NOT NULL,             -- UTC, in days since 1970-01-01
    model      TEXT    NOT NULL,
    is_batch   INTEGER NOT NULL,
    requests   INTEGER NOT NULL,
    unpriced   INTEGER NOT NULL,             -- of the requests, those that nobody knows the price of
    prompt     INTEGER NOT NULL,             -- tokens
    cached     INTEGER NOT NULL,
    completion INTEGER NOT NULL,
    reasoning  INTEGER NOT NULL,
    cost_pico  INTEGER NOT NULL,             -- millionths of a millionth of a US dollar
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (job, day, model, is_batch)
) STRICT, WITHOUT ROWID;

CREATE INDEX spend_by_day ON spend (day);
