// What oidc-provider wants remembered, in memory. Every provider object of a process shares it, so that sessions and grants
// survive a rotation of the keys, for which the object is built anew.
const entries = new Map();

function put(key, value, seconds) {
  entries.set(key, { value, until: seconds ? Date.now() + seconds * 1000 : Infinity });
}

function get(key) {
  const entry = entries.get(key);
  return entry && entry.until > Date.now() ? entry.value : undefined;
}

export class Store {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, seconds) {
    put(this.key(id), payload, seconds);
    if (payload.uid) put(`uid:${this.model}:${payload.uid}`, id);
    if (payload.userCode) put(`user-code:${payload.userCode}`, id);
    if (payload.grantId) {
      const granted = get(`grant:${payload.grantId}`) ?? new Set();
      put(`grant:${payload.grantId}`, granted.add(this.key(id)));
    }
  }

  async find(id) {
    return get(this.key(id));
  }

  async findByUid(uid) {
    return this.find(get(`uid:${this.model}:${uid}`));
  }

  async findByUserCode(code) {
    return this.find(get(`user-code:${code}`));
  }

  async destroy(id) {
    entries.delete(this.key(id));
  }

  async consume(id) {
    const payload = get(this.key(id));
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async revokeByGrantId(grantId) {
    for (const key of get(`grant:${grantId}`) ?? []) entries.delete(key);
    entries.delete(`grant:${grantId}`);
  }
}
