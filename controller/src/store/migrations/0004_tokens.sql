-- The audit is read by more than its objects, newest first, and nothing is taken out of it.

CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_source ON audit (source, id);

CREATE TRIGGER audit_keeps_everything BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append only');
END;
