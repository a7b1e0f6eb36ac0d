// A new job: where its source is or which file of this computer it is, where the result goes, what is made of it. What the
// scheduler refuses is shown at the field that it is about.
import { h, render } from './dom.js';
import * as f from './format.js';
import { get, keyed, post } from './api.js';
import { bar, failure, loading } from './ui.js';
import { Upload } from './upload.js';

const OWN = '*'; // no pipeline is called that
const FIELDS = ['source', 'destination', 'pipeline', 'priority'];

// The field that an error is about: by its place in the body, or by its code.
function fieldOf(error) {
  const member = (error.at ?? '').split('/')[1];
  if (FIELDS.includes(member)) {
    return member;
  }
  const family = (error.code ?? '').split('.')[0];
  return { input: 'source', uploads: 'file', storage: 'destination', config: 'pipeline' }[family] ?? null;
}

// The line that a sentence about a pipeline names, from 1; null: none.
export function lineOf(text) {
  const found = /:(\d+)(?::\d+)?: |\bline (\d+)/.exec(text ?? '');
  return found ? Number(found[1] ?? found[2]) : null;
}

function told(name, error) {
  return error ? h('p', { class: 'field-error', id: `${name}-error`, role: 'alert', key: 'error' }, error.message, error.remedy ? h('span', { class: 'muted' }, ' ', error.remedy) : null) : null;
}

export function mountSubmit(root, startQuery) {
  const values = { source: '', destination: '', pipeline: '', priority: '50', yaml: '', ...Object.fromEntries(startQuery) };
  let pipelines = null;
  let listError = null;
  let file = null;
  let upload = null;
  let sent = null; // { sent, size, goesOn }
  let errors = {}; // by field; '' is of none
  let checked = null; // what :check said of the text
  let isBusy = false;
  let isOpen = true;
  let text = null; // the text area
  const postJob = keyed();

  const fail = (e) => {
    const field = fieldOf(e) ?? '';
    errors = { [field === 'source' && file ? 'file' : field]: e };
    draw();
    root.querySelector('[aria-invalid="true"]')?.focus();
  };
  const typed = (name) => (e) => {
    values[name] = e.target.value;
    delete errors[name];
    if (name === 'yaml') {
      checked = null;
      delete errors.pipeline;
    }
    draw();
  };

  async function load() {
    listError = null;
    try {
      pipelines = (await get('/v1/pipelines')).pipelines;
      const good = pipelines.filter((p) => !p.error);
      values.pipeline ||= (good.find((p) => p.name === 'vod-h264') ?? good[0])?.name ?? OWN;
    } catch (e) {
      listError = e;
    }
    draw();
  }

  // A text to begin with: the pipeline that was chosen before.
  async function choose(e) {
    const before = values.pipeline;
    values.pipeline = e.target.value;
    delete errors.pipeline;
    checked = null;
    draw();
    if (values.pipeline === OWN && !values.yaml && before !== OWN) {
      try {
        const { yaml } = await get(`/v1/pipelines/${encodeURIComponent(before)}`);
        values.yaml ||= yaml;
      } catch {
        // it is empty then
      }
      draw();
    }
  }

  // Puts the cursor where the error is.
  function show(e) {
    const line = values.pipeline === OWN ? lineOf(e.message) : null;
    if (line !== null && text) {
      const lines = values.yaml.split('\n');
      const from = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0);
      text.focus();
      text.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
      text.scrollTop = Math.max(0, (line - 4) * (text.scrollHeight / lines.length));
    }
  }

  async function check() {
    checked = null;
    try {
      checked = await post('/v1/pipelines:check', { yaml: values.yaml, name: 'pipeline.yaml' });
      delete errors.pipeline;
      draw();
    } catch (e) {
      errors = { ...errors, [e.status === 0 || e.status === 401 ? '' : 'pipeline']: e };
      draw();
      show(e);
    }
  }

  async function send(source) {
    return postJob('/v1/jobs', { source, destination: values.destination.trim(), priority: Number(values.priority),
      pipeline: values.pipeline === OWN ? { yaml: values.yaml, name: 'pipeline.yaml' } : values.pipeline });
  }

  async function submit(event) {
    event.preventDefault();
    if (isBusy) {
      return;
    }
    isBusy = true;
    errors = {};
    draw();
    try {
      if (file) {
        upload = new Upload(file, (progress) => {
          sent = progress;
          draw();
        });
        window.addEventListener('beforeunload', ask);
      }
      const job = await send(file ? await upload.run() : values.source.trim());
      if (isOpen) {
        location.hash = `#/jobs/${job.id}`;
      }
    } catch (e) {
      isBusy = false; // fields that are out of use take no focus
      if (e.name !== 'AbortError' && isOpen) {
        fail(e);
        if (fieldOf(e) === 'pipeline') {
          show(e);
        }
      }
    } finally {
      window.removeEventListener('beforeunload', ask);
      isBusy = false;
      upload = null;
      draw();
    }
  }
  const ask = (event) => event.preventDefault(); // the browser asks whether to leave

  function field(name, label, note, control) {
    return h('div', { class: 'field', key: name }, h('label', { for: `new-${name}` }, label), control, note ? h('p', { class: 'muted', id: `${name}-note` }, note) : null, told(name, errors[name]));
  }
  const common = (name, note = true) => ({ id: `new-${name}`, name, disabled: isBusy, 'aria-invalid': errors[name] ? 'true' : null, 'aria-describedby': [note ? `${name}-note` : '', errors[name] ? `${name}-error` : ''].join(' ').trim() || null });

  function sourceFields() {
    return [field('source', 'Source', ['As the farm sees it: ', h('code', null, 'file:///srv/film.mov'), ', ', h('code', null, 's3://bucket/film.mov'), ', ', h('code', null, 'https://…'), ' or ', h('code', null, 'upload:ID')],
      h('input', { ...common('source'), value: values.source, oninput: typed('source'), required: !file, disabled: isBusy || Boolean(file), autocomplete: 'off', spellcheck: 'false' })),
    field('file', 'or a file of this computer', 'It is sent to the farm’s object storage in parts. Leaving this page stops it; the same file, chosen again, goes on where it was.',
      h('input', { ...common('file'), type: 'file', onchange: (e) => {
        file = e.target.files[0] ?? null;
        sent = null;
        delete errors.file;
        delete errors.source;
        draw();
      } })),
    sent ? h('div', { class: 'sending', key: 'sending', role: 'status' }, bar(sent.sent, sent.size, { label: 'sent', wide: true, kind: sent.sent === sent.size ? 'good' : 'busy' }),
      h('span', { class: 'num' }, `${f.bytes(sent.sent)} of ${f.bytes(sent.size)}${sent.goesOn ? ', it goes on where it was' : ''}`),
      upload ? h('button', { type: 'button', class: 'small', onclick: () => upload?.stop() }, 'Stop') : null) : null];
  }

  function ownPipeline() {
    return values.pipeline !== OWN ? null : h('div', { class: 'field', key: 'yaml' }, h('label', { for: 'new-yaml' }, 'The pipeline, as YAML'),
      h('textarea', { id: 'new-yaml', name: 'yaml', rows: 16, spellcheck: 'false', value: values.yaml, oninput: typed('yaml'), disabled: isBusy, required: true, 'aria-invalid': errors.pipeline ? 'true' : null, 'aria-describedby': errors.pipeline ? 'pipeline-error' : null, ref: (element) => { text = element; } }),
      h('div', { class: 'buttons' }, h('button', { type: 'button', disabled: isBusy, onclick: check }, 'Check'),
        checked ? h('span', { class: 'checked', role: 'status' }, `It is good: ${checked.tasks.map((t) => t.name).join(', ')}`) : null));
  }

  function pipelineFields() {
    const chosen = pipelines?.find((p) => p.name === values.pipeline);
    return [field('pipeline', 'Pipeline', chosen ? chosen.description : values.pipeline === OWN ? 'Strict: what it does not know is an error. Nothing of it is kept but with the job.' : '',
      pipelines === null ? (listError ? failure(listError, load) : loading('Asking for pipelines'))
        : h('select', { ...common('pipeline'), value: values.pipeline, onchange: choose }, pipelines.map((p) => h('option', { value: p.name, key: p.name, disabled: Boolean(p.error) }, p.error ? `${p.name} (wrong: ${p.error.text})` : p.name)),
          h('option', { value: OWN, key: OWN }, 'Written here …'))), ownPipeline()];
  }

  function draw() {
    if (!isOpen) {
      return;
    }
    render(root, h('div', { class: 'head' }, h('h1', null, 'New job')),
      h('form', { class: 'panel new-job', onsubmit: submit, key: 'form', 'aria-label': 'New job' }, sourceFields(),
        field('destination', 'Destination', ['A folder that the farm writes to: ', h('code', null, 'file:///srv/out/film'), ' or ', h('code', null, 's3://bucket/film')],
          h('input', { ...common('destination'), value: values.destination, oninput: typed('destination'), required: true, autocomplete: 'off', spellcheck: 'false' })),
        pipelineFields(),
        field('priority', 'Priority', 'From 0 (batch) to 100 (high); 50 is usual', h('input', { ...common('priority'), type: 'number', min: 0, max: 100, step: 1, required: true, value: values.priority, oninput: typed('priority') })),
        errors[''] ? failure(errors['']) : null,
        h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'primary', disabled: isBusy || pipelines === null }, isBusy ? (sent ? 'Sending …' : 'Submitting …') : 'Submit'))));
  }

  draw();
  load();
  root.querySelector('#new-source').focus();
  return {
    draw: () => {},
    close() {
      isOpen = false;
      upload?.stop();
      window.removeEventListener('beforeunload', ask);
    },
  };
}
