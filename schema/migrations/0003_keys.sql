-- SPDX-License-Identifier: Apache-2.0
-- Which key seals which link, in the order in which a rotation walks them: a page of one key's rows costs the same however
-- many links there are, and the keys in use are found by a few probes at each start. Clear rows stand under ''. key_id is
-- included so that counting needs the index alone. No write but a rotation's changes these columns, so updates stay on
-- their page.
CREATE INDEX links_key_id ON links (coalesce(key_id, ''), owner_id, provider_id) INCLUDE (key_id)
  WHERE access_token IS NOT NULL;
