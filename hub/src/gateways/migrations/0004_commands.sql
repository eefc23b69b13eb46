-- How a point may be written, as a JSON object; none where it may not.
alter table point add column writing text;

-- A value that somebody wants written into a point, from the wish to its end.
create table command (
  id text not null,
  gateway text not null,
  point {int} not null,
  device_key text not null,
  point_key text not null,
  requester text not null,
  requester_login text not null,
  approver text,
  approver_login text,
  why text not null,
  value {real} not null,
  expected {real},
  priority {int},
  two_persons {int} not null,
  created_at {int} not null,
  not_after {int} not null,
  relinquish_at {int},
  state text not null,
  reason text,
  shown_before {real},
  shown_now {real},
  changed_at {int} not null,
  sent {int} not null,
  last_report {int} not null,
  -- The order as it was signed, and the one that gives it up.
  signed {blob},
  signature {blob},
  give_up {blob},
  give_up_signature {blob},
  constraint command_pkey primary key (id)
);
create index command_newest on command (gateway, id);
create index command_of_point on command (point, id);
create index command_state on command (state);

-- What happened to it, step by step.
create table command_step (
  id {id},
  command text not null,
  at {int} not null,
  received_at {int} not null,
  what text not null,
  who text not null,
  facts text not null
);
create index command_step_of on command_step (command, id);
