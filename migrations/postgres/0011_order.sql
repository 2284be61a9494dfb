-- Deliveries of one key to one endpoint leave in the order of their numbers. A delivery has key and number until
-- it is delivered or failed; one that is behind another is pending with a due time in the year 9999.
ALTER TABLE deliveries ADD COLUMN order_key UUID;
ALTER TABLE deliveries ADD COLUMN order_no BIGINT;
CREATE INDEX deliveries_in_order ON deliveries (account_id, endpoint_id, order_key, order_no) WHERE order_key IS NOT NULL;
