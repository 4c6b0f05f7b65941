-- Who may do what only one may do at a time, until when; `fence` grows with each holder.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fence INTEGER NOT NULL,
    until REAL NOT NULL
);
