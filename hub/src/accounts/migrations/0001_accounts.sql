create table users (
    id text primary key,
    login text not null,
    -- The login in small letters: "Li" and "li" are one person.
    login_key text not null,
    name text not null,
    role text not null,
    locale text not null,
    disabled {int} not null,
    password text not null,
    version {int} not null,
    created_at {int} not null,
    constraint users_role_known check (role in ('viewer', 'engineer', 'admin'))
);

create unique index users_login on users (login_key);

-- The token itself is only in the browser's cookie.
create table sessions (
    id text primary key,
    token_hash text not null,
    user_id text not null references users (id),
    address text not null,
    created_at {int} not null,
    used_at {int} not null,
    ends_at {int} not null
);

create unique index sessions_token on sessions (token_hash);
create index sessions_user on sessions (user_id);

-- Wrong passwords, counted by account (also one that does not exist) and by address.
create table log_in_failures (
    kind text not null,
    what text not null,
    failures {int} not null,
    since {int} not null,
    locked_until {int} not null,
    primary key (kind, what)
);
