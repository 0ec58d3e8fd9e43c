-- no parameters
-- The key ids of all codes of providers' device flow, '' for clear ones. They live for minutes, so there are never many.
SELECT DISTINCT coalesce(key_id, '') FROM provider_devices WHERE device_code IS NOT NULL ORDER BY 1
