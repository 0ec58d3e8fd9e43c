// SPDX-License-Identifier: Apache-2.0
// Receipts signed as the service signs them, with node's own HMAC, so that a test can say anything in one.
import { createHash, createHmac, hkdfSync, randomUUID } from "node:crypto";

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

// The id of a base64 key.
export const keyId = (key) => createHash("sha256").update(Buffer.from(key, "base64")).digest("hex").slice(0, 8);

// What the service signs with where it is given encryption keys alone.
export const derivedKey = (encryptionKey) =>
  Buffer.from(hkdfSync("sha256", Buffer.from(encryptionKey, "base64"), "", "gatehouse receipts 1", 32)).toString("base64");

export const receiptHeader = (key) => ({ alg: "HS256", kid: keyId(key), typ: "gatehouse-receipt+jwt" });

// Any header and claims, rightly signed with a base64 key.
export function signJws(key, header, claims) {
  const signing = `${base64url(header)}.${base64url(claims)}`;
  return `${signing}.${createHmac("sha256", Buffer.from(key, "base64")).update(signing).digest("base64url")}`;
}

// A receipt of an owner ({id, username}; id undefined: one whom nobody has seen) that is good for `lifetime` seconds.
export function signReceipt(key, { owner, version = null, gens = {}, lifetime = 600, issued = Math.floor(Date.now() / 1000), decision = randomUUID() }) {
  return signJws(key, receiptHeader(key), {
    iss: "gatehouse", jti: decision, sub: owner.id ?? null, owner: owner.username, version, gens, iat: issued, exp: issued + lifetime,
  });
}

// The claims of a receipt, unverified.
export const claimsOf = (receipt) => JSON.parse(Buffer.from(receipt.split(".")[1], "base64url").toString());
