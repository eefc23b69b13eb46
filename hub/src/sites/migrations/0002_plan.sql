-- A picture or drawing of the place: the hash of its content in the hub's files, and its media type.
alter table sites add column plan text;
alter table sites add column plan_type text;
