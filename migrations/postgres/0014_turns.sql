-- What goes on in order goes one after the other: what waits is claimed by its time and then as it came, what keeps
-- an order by one life at a time; and what is held of an order goes first, once its endpoint is switched on.
DROP INDEX flow_waits_due;
CREATE INDEX flow_waits_due ON flow_waits (account_id, due_at_ms, event_id) WHERE state = 'waiting';
ALTER TABLE flow_waits ADD COLUMN in_order BIGINT NOT NULL DEFAULT 0;
CREATE INDEX flow_waits_in_order ON flow_waits (account_id) WHERE state = 'claimed' AND in_order = 1;
CREATE INDEX deliveries_held_in_order ON deliveries (account_id, endpoint_id, order_key) WHERE state = 'held' AND order_key IS NOT NULL;
