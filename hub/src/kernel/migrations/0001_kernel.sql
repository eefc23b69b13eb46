-- Who did what: append-only, each row holds the hash of the one before.
create table audit (
    no {int} primary key,
    at {int} not null,
    actor text,
    actor_name text not null,
    address text not null,
    request text not null,
    action text not null,
    object text not null,
    object_id text not null,
    before_json text,
    after_json text,
    result text not null,
    reason text not null,
    hash text not null,
    constraint audit_result_known check (result in ('done', 'refused'))
);

create index audit_object on audit (object, object_id, no);

-- only sqlite
create trigger audit_no_update before update on audit begin select raise(abort, 'audit_append_only'); end;
create trigger audit_no_delete before delete on audit begin select raise(abort, 'audit_append_only'); end;
-- only postgres
create function audit_append_only() returns trigger language plpgsql as
$$ begin raise exception 'audit rows stay' using errcode = 'check_violation', constraint = 'audit_append_only'; end $$;
create trigger audit_no_change before update or delete on audit for each row execute function audit_append_only();
create trigger audit_no_truncate before truncate on audit for each statement execute function audit_append_only();
-- only both

-- POST requests that carried an Idempotency-Key, for 24 hours.
create table idempotency (
    caller text not null,
    idempotency_key text not null,
    request_hash text not null,
    begun_at {int} not null,
    status {int},
    content_type text,
    location text,
    etag text,
    body {blob},
    primary key (caller, idempotency_key)
);

create index idempotency_age on idempotency (begun_at);

-- What has happened and is still to be told to upper modules; written in the transaction that caused it.
create table outbox (
    id {id},
    topic text not null,
    body text not null,
    at {int} not null,
    tries {int} not null
);

-- Which hub may run a job, until when.
create table job (
    name text primary key,
    holder text not null,
    until {int} not null,
    last_start {int} not null,
    last_end {int},
    last_error text
);
