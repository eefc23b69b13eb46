-- What belongs to an event's kind, as a JSON object: pages make a sentence of it in the reader's language.
alter table gateway_event add column facts text not null default '{}';
