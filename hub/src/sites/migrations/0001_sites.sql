create table sites (
    id text primary key,
    parent text references sites (id),
    kind text not null,
    name text not null,
    -- The house's own short name, such as "B1-02"; empty where there is none.
    code text not null,
    version {int} not null,
    constraint sites_kind_known check (kind in ('campus', 'building', 'floor', 'room'))
);

create unique index sites_name on sites (coalesce(parent, ''), name);
create unique index sites_code on sites (code) where code <> '';
create index sites_parent on sites (parent);
