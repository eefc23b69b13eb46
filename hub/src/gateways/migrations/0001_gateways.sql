create table gateway (
  id text not null,
  name text not null,
  site text,
  state text not null,
  version text not null,
  host text not null,
  address text not null,
  created_at {int} not null,
  enrolled_at {int},
  certificate_expires {int},
  last_seen {int},
  silent {int} not null,
  health text,
  row_version {int} not null,
  constraint gateway_pkey primary key (id),
  constraint gateway_name_key unique (name)
);

-- The secret itself is not kept: only its SHA-256.
create table enrolment_code (
  hash {blob} not null,
  gateway text not null,
  expires_at {int} not null,
  used_at {int},
  constraint enrolment_code_pkey primary key (hash)
);
create index enrolment_code_gateway on enrolment_code (gateway);

create table gateway_event (
  id {id},
  event text not null,
  gateway text not null,
  at {int} not null,
  received_at {int} not null,
  kind text not null,
  active {int} not null,
  line text,
  device text,
  detail text not null,
  security {int} not null,
  constraint gateway_event_once unique (gateway, event)
);
create index gateway_event_newest on gateway_event (gateway, id);

-- One life of a gateway's database, and where its copy here begins and ends.
create table epoch (
  gateway text not null,
  epoch {int} not null,
  buffer text not null,
  reason text not null,
  began_at {int} not null,
  catalogue {blob},
  constraint epoch_pkey primary key (gateway, epoch)
);
create table watermark (
  gateway text not null,
  epoch {int} not null,
  lane {int} not null,
  seq {int} not null,
  recent {blob} not null,
  constraint watermark_pkey primary key (gateway, epoch, lane)
);
create table quarantine (
  id {id},
  gateway text not null,
  epoch {int} not null,
  lane {int} not null,
  seq {int} not null,
  received_at {int} not null,
  reason text not null,
  hash {blob} not null,
  data {blob} not null
);

create table device (
  id text not null,
  gateway text not null,
  key text not null,
  title_zh text not null,
  title_en text not null,
  profile text not null,
  vendor text not null,
  model text not null,
  place text not null,
  line text not null,
  address text not null,
  in_use {int} not null,
  site text,
  silent {int} not null,
  constraint device_pkey primary key (id),
  constraint device_key unique (gateway, key)
);
create table point (
  id {id},
  device text not null,
  key text not null,
  title_zh text not null,
  title_en text not null,
  unit text not null,
  kind text not null,
  labels text not null,
  period_ms {int} not null,
  decimals {int} not null,
  modulus {real},
  in_use {int} not null,
  constraint point_key unique (device, key)
);
-- What a number on the wire means; another buffer may give the same number to another point.
create table point_no (
  gateway text not null,
  buffer text not null,
  no {int} not null,
  point {int} not null,
  constraint point_no_pkey primary key (gateway, buffer, no)
);
create index point_no_point on point_no (point);
