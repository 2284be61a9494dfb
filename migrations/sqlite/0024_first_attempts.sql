-- First attempts that wait: no retry, nothing that is sent once more. A claim takes a part of what it takes from them.
CREATE INDEX deliveries_first ON deliveries (account_id, endpoint_id, due_at_ms)
    WHERE state = 'pending' AND attempts_made = 0 AND resend_of IS NULL AND rerun_id IS NULL;
