import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { createApi } from '../../dist/api.js';
import { AccessService } from '../../dist/modules/access/access.service.js';
import { AuthorizationGuard } from '../../dist/modules/access/http/authorization.guard.js';
import { asOperator } from '../../dist/operator.js';
import { compileAbility } from '../../dist/platform/authorization/ability.js';
import { accessibleBy } from '../../dist/platform/authorization/accessible-by.js';
import { allOperations, operationNamed, operationsOn } from '../../dist/platform/authorization/operations.js';
import { SCOPES } from '../../dist/platform/authorization/scopes.js';
import { subjectNamed } from '../../dist/platform/authorization/subjects.js';
import { parseConfig } from '../../dist/platform/config/config.schema.js';
import { perSecond, startProduct, times } from './stack.mjs';

const OPERATION = 'exams:list';
/** Requests a second, of one principal, at which what is reloaded twice a second is shared out. */
const LOW_RATE = 100;
const RELOADS = 2;
const GOAL_US = 100;

/**
 * What authorisation adds to a request: standing and rights of the principal, the scope, whether the operation is allowed
 * at all (the guard, as the API runs it), and on which rows (the filter a service asks the database with).
 */
export default async function (row) {
  const product = await startProduct();
  const { app } = await createApi(parseConfig({ ...product.environment, PORT: '0', LOG_LEVEL: 'silent' }));
  const admin = new pg.Pool({ connectionString: product.adminUrl, max: 1 });
  const access = app.get(AccessService, { strict: false });
  const guard = new AuthorizationGuard(access);

  const measured = {};
  for (const [name, roles, rules] of [
    ['small', 1, 5],
    ['large', 50, 500],
  ]) {
    const given = Array.from({ length: rules }, (_, at) => ruleOf(at));
    const credential = await clientWith(product, admin, roles, given);
    measured[name] = await measure(guard, access, credential, given);
  }
  const { small, large } = measured;
  const figure = (us) => `${us.toFixed(1)} us${us < GOAL_US ? '' : `, MISSES the goal of ${GOAL_US}`}`;
  row({
    what: `authorise one request, 50 roles and 500 rules (${large.conditions} conditions on these rows), believed`,
    figure: figure(large.request),
    baseline: `1 role and 5 rules ${small.request.toFixed(1)} us; CASL's can() alone ${large.can.toFixed(2)} us`,
    ratio: `${times(large.request / small.request)}; ${times(large.request / large.can)}`,
  });
  row({
    what: `the same, reloaded every 500 ms, at ${Math.round(large.rate)} requests/s`,
    figure: figure(1e6 / large.rate),
    baseline: `1 role and 5 rules ${(1e6 / small.rate).toFixed(1)} us at ${Math.round(small.rate)} requests/s`,
    ratio: times(small.rate / large.rate),
  });
  row({
    what: `the same, at ${LOW_RATE} requests/s: one reload takes ${large.reload.toFixed(0)} us of this process`,
    figure: figure(large.request + (large.reload * RELOADS) / LOW_RATE),
    baseline: `1 role and 5 rules ${(small.request + (small.reload * RELOADS) / LOW_RATE).toFixed(1)} us, one reload ${small.reload.toFixed(0)} us`,
    ratio: times(
      (large.request * LOW_RATE + large.reload * RELOADS) /
        (small.request * LOW_RATE + small.reload * RELOADS),
    ),
  });
  row({
    what: 'compile an ability of 500 rules, once when they have changed',
    figure: `${large.compile.toFixed(0)} us`,
    baseline: `5 rules ${small.compile.toFixed(0)} us`,
    ratio: times(large.compile / small.compile),
  });
  await admin.end();
  await app.close();
  await product.close();
}

/** Microseconds, and requests a second with everything that is done for them. */
async function measure(guard, access, credential, rules) {
  const context = { credential, operation: operationNamed(OPERATION), info: {} };
  const execution = { switchToHttp: () => ({ getRequest: () => ({ context }) }) };
  const authorise = async () => {
    if (!(await guard.canActivate(execution))) throw new Error('refused');
    return accessibleBy(context.caller, OPERATION).ofType('Exam');
  };
  const { ability, principal } = await access.grantsOf(credential);
  const filter = await authorise();
  const rate = await perSecond(authorise, 3); // as long as several beliefs
  return {
    rate,
    conditions: filter.OR.length,
    compile: 1e6 / (await perSecond(() => compileAbility(rules, principal))),
    request: await believed(access, credential, authorise),
    can: 1e6 / (await perSecond(() => ability.can(OPERATION, 'Exam'))),
    reload: await reloadOf(access, credential),
  };
}

/** Microseconds of one request whose principal was asked for before: batches much shorter than a belief, just renewed. */
async function believed(access, credential, authorise) {
  const batches = [];
  for (let batch = 0; batch < 200; batch++) {
    access.forget(credential.organizationId);
    await access.grantsOf(credential);
    const begun = performance.now();
    for (let call = 0; call < 200; call++) await authorise();
    batches.push(((performance.now() - begun) * 1000) / 200);
  }
  return median(batches);
}

/** Microseconds of processor time this process spends on one reload; the database's is not in it, nor what it waits for. */
async function reloadOf(access, credential) {
  const rounds = [];
  for (let round = 0; round < 10; round++) {
    const begun = process.cpuUsage();
    for (let call = 0; call < 50; call++) {
      access.forget(credential.organizationId);
      await access.grantsOf(credential);
    }
    const { user, system } = process.cpuUsage(begun);
    rounds.push((user + system) / 50);
  }
  return median(rounds);
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** A credential of a client with these rules, in so many roles of as many rules each. */
async function clientWith({ workerUrl }, admin, roles, rules) {
  const { organizationId } = await asOperator(workerUrl, async (organizations) => {
    const organizationId = await organizations.createOrganization('Access bench');
    const client = { organizationId, name: 'bench', role: 'auditor', scopes: SCOPES };
    await organizations.createClient(client);
    return { organizationId };
  });
  const { rows } = await admin.query('SELECT id FROM oauth_client WHERE organization_id = $1', [
    organizationId,
  ]);
  const [{ id: principalId }] = rows;
  await admin.query('DELETE FROM role_binding WHERE organization_id = $1', [organizationId]);
  for (let role = 0; role < roles; role++) {
    const own = rules.slice((role * rules.length) / roles, ((role + 1) * rules.length) / roles);
    const [roleId, now] = [randomUUID(), new Date()];
    await admin.query(
      'INSERT INTO role (id, organization_id, name, built_in, rules, created_at) VALUES ($1, $2, $3, false, $4, $5)',
      [roleId, organizationId, `Role ${role}`, JSON.stringify(own), now],
    );
    await admin.query(
      'INSERT INTO role_binding (id, organization_id, role_id, oauth_client_id, created_at) VALUES ($1, $2, $3, $4, $5)',
      [randomUUID(), organizationId, roleId, principalId, now],
    );
  }
  return { kind: 'client', principalId, organizationId, tokenId: randomUUID(), scopes: SCOPES };
}

/** The subjects in turn, all operations on each, of rows by conditions where the subject has any. */
function ruleOf(at) {
  const subjects = [...new Set(allOperations().map(({ subject }) => subject))];
  subjects.unshift(...subjects.splice(subjects.indexOf('Exam'), 1)); // few rules are about exams too
  const subject = subjects[at % subjects.length];
  const column = Object.entries(subjectNamed(subject).conditions ?? {}).find(
    ([, kind]) => kind === 'principal',
  )?.[0];
  return {
    operations: operationsOn(subject).map(({ name }) => name),
    subject,
    ...(column && { conditions: { [column]: at === 0 ? '${principal.id}' : randomUUID() } }),
  };
}
