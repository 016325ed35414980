// A state database as the first version of the schema left it. Never changed: it stands for files
// on users' machines.
#pragma once

namespace shoal::store::test {

inline constexpr const char* kVersion1 = R"(
PRAGMA application_id=1399344177;
CREATE TABLE migrations(version INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT;
INSERT INTO migrations VALUES(1,'first tables');
CREATE TABLE repositories(
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  added_at INTEGER NOT NULL
) STRICT;
INSERT INTO repositories VALUES(3,'https://games.example/repo',1700000000);
CREATE TABLE installs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repository INTEGER NOT NULL REFERENCES repositories(id) ON DELETE RESTRICT,
  product TEXT NOT NULL,
  channel TEXT NOT NULL,
  version TEXT NOT NULL,
  library TEXT NOT NULL,
  folder TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE(library, folder),
  UNIQUE(repository, product, library)
) STRICT;
INSERT INTO installs VALUES(5,3,'game','stable','1.0','/srv/games','game',1700000001);
CREATE TABLE documents(
  install INTEGER NOT NULL REFERENCES installs(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY(install, name)
) STRICT;
INSERT INTO documents VALUES(5,'release.json',X'7B7D');
CREATE TABLE commits(
  install INTEGER PRIMARY KEY REFERENCES installs(id) ON DELETE CASCADE,
  journal BLOB NOT NULL
) STRICT;
INSERT INTO commits VALUES(5,X'00FF');
CREATE TABLE changes(
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  install INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  request_json TEXT NOT NULL,
  outcome_json TEXT NOT NULL
) STRICT;
INSERT INTO changes VALUES(1,'c1','update','running',5,1700000002,'{"a":1}','{}');
CREATE TABLE settings(
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
INSERT INTO settings VALUES('consent','lan');
)";

}  // namespace shoal::store::test
