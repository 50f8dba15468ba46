// What every case needs: comparisons, and the errors of calls with their details.
"use strict";

const assert = require("assert");
const { grpc, types } = require("./schemas");

const equal = assert.deepStrictEqual;

// How a call ended, if it was not well.
class Failed {
  constructor(error) {
    this.code = grpc.status[error.code];
    this.message = error.details;
    this.trailers = error.metadata;
    this.details = {};
    const [packed] = error.metadata.get("grpc-status-details-bin");
    if (!packed) return;
    const status = types.lookupType("google.rpc.Status").decode(packed);
    equal([status.code, status.message], [error.code, error.details]);
    for (const detail of status.details) {
      const name = detail.type_url.split("/")[1];
      this.details[name.replace("google.rpc.", "")] = types.lookupType(name).decode(detail.value);
    }
  }

  get fields() {
    return this.details.BadRequest.fieldViolations.map((violation) => violation.field);
  }

  get reason() {
    equal(this.details.ErrorInfo.domain, "shop.example");
    return this.details.ErrorInfo.reason;
  }

  get resource() {
    return `${this.details.ResourceInfo.resourceType} ${this.details.ResourceInfo.resourceName}`;
  }

  get preconditions() {
    return this.details.PreconditionFailure.violations.map(({ type, subject }) => `${type} ${subject}`);
  }
}

// The end of a call, or of reading from one, that has to have this code.
async function fails(code, call) {
  let found;
  try {
    found = await call;
  } catch (error) {
    if (!(error.metadata instanceof grpc.Metadata)) throw error;
    const failed = new Failed(error);
    equal([failed.code, failed.message], [code, failed.message]);
    assert(failed.message, "an error without a message");
    return failed;
  }
  throw new assert.AssertionError({ message: `no error, wanted ${code}`, actual: found });
}

// A call that has to be refused for these fields.
async function refused(fields, call) {
  equal((await fails("INVALID_ARGUMENT", call)).fields, fields);
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

module.exports = { assert, equal, fails, refused, sleep };
