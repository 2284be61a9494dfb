-- Runs that were asked for, schedules that automations own, and a ledger that goes by time. Keep in step with
-- migrations/postgres.

-- The automation whose trigger it is: made, changed and removed with that.
ALTER TABLE schedules ADD COLUMN owner_automation_id BLOB;
-- How often a run was asked for: whoever decides on the next one sees whether another came between.
ALTER TABLE schedules ADD COLUMN runs_asked INTEGER NOT NULL DEFAULT 0;
DROP INDEX schedules_due;
CREATE INDEX schedules_due ON schedules (due_at_ms, account_id, id) WHERE due_at_ms IS NOT NULL;

ALTER TABLE occurrences ADD COLUMN cause TEXT NOT NULL DEFAULT 'scheduled' CHECK (cause = 'scheduled' OR cause = 'run_now');
-- When it goes off the ledger.
ALTER TABLE occurrences ADD COLUMN expires_at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE occurrences SET expires_at_ms = at_ms + 2592000000;
CREATE INDEX occurrences_expiry ON occurrences (expires_at_ms);
-- The last one that ran, behind however many that did not.
CREATE INDEX occurrences_fired ON occurrences (account_id, schedule_id, at_ms) WHERE state = 'fired';
