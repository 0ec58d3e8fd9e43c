-- no parameters; what the sentence about missing rights names
SELECT current_user::text, current_database()::text, coalesce(current_schema()::text, ''),
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
