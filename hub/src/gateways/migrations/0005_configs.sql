-- The configuration that a gateway says it runs.
create table gateway_config (
  gateway text not null,
  is_open {int} not null,
  -- None where it is longer than a hub takes.
  content text,
  digest text not null,
  -- Of config_version; none for the file on site.
  version {int},
  taken {int} not null,
  told_at {int} not null,
  constraint gateway_config_pkey primary key (gateway)
);

-- A configuration that a person wants a gateway to run.
create table config_version (
  gateway text not null,
  version {int} not null,
  -- What it was made from.
  base text not null,
  content text not null,
  author text not null,
  author_login text not null,
  why text not null,
  created_at {int} not null,
  state text not null,
  reason text,
  detail text not null,
  -- A JSON list.
  faults text not null,
  changed_at {int} not null,
  -- As it was signed.
  signed {blob} not null,
  signature {blob} not null,
  constraint config_version_pkey primary key (gateway, version)
);

-- Files on site that were in force before: what a gateway that takes the place of another goes on from.
create table config_past (
  gateway text not null,
  digest text not null,
  content text not null,
  told_at {int} not null,
  constraint config_past_pkey primary key (gateway, digest)
);
