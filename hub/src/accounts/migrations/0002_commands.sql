-- Who may command devices: a permission of its own, given to nobody from the start.
alter table users add column commands {int} not null default 0;
