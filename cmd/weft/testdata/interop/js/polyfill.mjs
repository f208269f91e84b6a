// What js-libp2p 3 uses and Node 20 lacks; both are built in from Node 22 on.

Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((yes, no) => { resolve = yes; reject = no })
  return { promise, resolve, reject }
}

if (Set.prototype.difference == null) {
  Object.defineProperty(Set.prototype, 'difference', {
    value (other) { return new Set([...this].filter(item => !other.has(item))) },
    writable: true,
    configurable: true
  })
}
