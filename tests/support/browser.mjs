// SPDX-License-Identifier: Apache-2.0
// As much of a browser as linking an account needs: cookies by host and path, and redirects that are followed one at
// a time so that a test sees each hop.
import { exchange } from "./http.mjs";
import { checkAnswer } from "./openapi.mjs";

export class Browser {
  #cookies = new Map(); // origin → Map(name → {value, path, attributes})

  constructor({ accept = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" } = {}) {
    this.accept = accept;
  }

  cookie(origin, name) {
    return this.#cookies.get(origin)?.get(name);
  }

  cookies(origin) {
    return [...(this.#cookies.get(origin)?.values() ?? [])];
  }

  #keep(origin, lines) {
    const jar = this.#cookies.get(origin) ?? new Map();
    this.#cookies.set(origin, jar);
    for (const line of lines) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const equals = pair.indexOf("=");
      const name = pair.slice(0, equals);
      const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? "/";
      const dead = attributes.some((attribute) => /^max-age=0$/i.test(attribute));
      if (dead) jar.delete(name);
      else jar.set(name, { name, value: pair.slice(equals + 1), path, attributes, line });
    }
  }

  #cookieHeader(url) {
    const fits = ({ path }) => url.pathname === path || url.pathname.startsWith(path.endsWith("/") ? path : `${path}/`);
    return this.cookies(url.origin).filter(fits).map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  // One request, no redirect followed. Answers of `service` are held against the document.
  async visit(address, service = null, { method = "GET", headers = {}, body = null } = {}) {
    const url = new URL(address);
    const cookie = this.#cookieHeader(url);
    const answer = await exchange(method, url, {
      headers: { Accept: this.accept, ...(cookie ? { Cookie: cookie } : {}), ...headers }, body,
    });
    this.#keep(url.origin, answer.headers["set-cookie"] ?? []);
    const own = (address) => url.origin === new URL(address).origin;
    if (service && (own(service.accessUrl) || own(service.base)))
      answer.body = checkAnswer(method, url.pathname, answer);
    answer.url = url;
    answer.next = answer.headers.location ? new URL(answer.headers.location, url) : null;
    return answer;
  }

  // Follows redirects from `address` until there is none, `stopAt(url)` says so, or ten hops are over. Gives all
  // answers; the last one's `next` is where it would have gone.
  async travel(address, service = null, stopAt = () => false) {
    const answers = [];
    let next = new URL(address);
    while (next && answers.length < 10) {
      const answer = await this.visit(next, service);
      answers.push(answer);
      if (!answer.next || stopAt(answer.next)) break;
      next = answer.next;
    }
    return answers;
  }
}
