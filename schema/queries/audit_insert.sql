-- $1 id, $2 request id, $3 action, $4 initiator id or NULL, $5 subject user id or NULL, $6 subject or NULL
INSERT INTO audit_log (id, request_id, action, initiator_id, subject_user_id, subject) VALUES ($1, $2, $3, $4, $5, $6)
