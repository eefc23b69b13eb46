-- A place in which a gateway stands cannot be removed. SQLite adds a foreign key only with a new column.
alter table gateway add column place text references sites (id);
update gateway set place = site where site in (select id from sites);
alter table gateway drop column site;
alter table gateway rename column place to site;
create index gateway_site on gateway (site);

-- A device stands where its gateway does.
alter table device drop column site;

-- Of each gateway the newest are kept.
create index quarantine_newest on quarantine (gateway, id);
