"use strict";
// The explorer page: what is asked stands in the sliders (and in the page's address), all numbers come from formulas.js.
(() => {
  const root = document.getElementById("anyk-explorer"), formulas = window.anykFormulas;
  const tables = window.anykApproximate || {};

  const SLIDERS = {
    P: { group: "Workers", label: "workers P", least: 1, most: 128, start: 16 },
    missing: { group: "Workers", label: "answers that may be missing", least: 0, most: 64, start: 3 },
    wrong: { group: "Workers", label: "answers that may be wrong", least: 0, most: 16, start: 0 },
    m: { group: "Cut", label: "rows m", least: 1, most: 10, start: 2 },
    n: { group: "Cut", label: "inner n", least: 1, most: 10, start: 2 },
    p: { group: "Cut", label: "cols p", least: 1, most: 10, start: 2 },
  };
  const NUMBERS = {
    height: { group: "Matrices", label: "rows of A", start: 8000 },
    depth: { group: "Matrices", label: "columns of A, rows of B", start: 8000 },
    width: { group: "Matrices", label: "columns of B", start: 8000 },
  };
  const CHOICES = {
    dtype: { group: "Matrices", label: "dtype", options: { float64: "float64", float32: "float32" } },
    screen: { group: "Workers", label: "wrong ones are found by", options: {
      checked: "checking each", random: "their syndrome", adversarial: "their syndrome, adversary" } },
    from: { group: "Workers", label: "decoded from", options: { first: "the first that suffice", all: "all but the missing" } },
  };
  const SETS = 24, MOST_POINTS = 13;

  const asked = {};
  for (const [name, each] of [...Object.entries(SLIDERS), ...Object.entries(NUMBERS)]) asked[name] = each.start;
  for (const [name, each] of Object.entries(CHOICES)) asked[name] = Object.keys(each.options)[0];
  asked.family = "generalized_polydot";

  // --- the page's address ---------------------------------------------------------------------------------------------

  function fromAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const [name, text] of given) {
      const slider = SLIDERS[name], value = Number(text);
      if (slider && Number.isInteger(value)) asked[name] = Math.min(Math.max(value, slider.least), slider.most);
      else if (NUMBERS[name] && Number.isInteger(value) && value >= 1 && value <= 1e7) asked[name] = value;
      else if (CHOICES[name]?.options[text]) asked[name] = text;
      else if (name === "family" && formulas.FAMILIES.some((each) => each.name === text)) asked.family = text;
    }
  }

  function toAddress() {
    history.replaceState(null, "", `${location.href.split("#")[0]}#${new URLSearchParams(asked)}`);
  }

  // --- words ------------------------------------------------------------------------------------------------------------

  const digits = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 3 });

  function size(bytes) {
    for (const [unit, name] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
      if (bytes >= unit) return `${digits(bytes / unit)} ${name}`;
    }
    return `${bytes} bytes`;
  }

  function error(value) {
    if (!(value >= 0)) return "–";
    if (value > 0.1) return "useless";
    const [mantissa, power] = value.toExponential(0).split("e");
    return `${mantissa}e${power}`.replace("e+0", "");
  }

  const answers = (count) => `${count} answer${count === 1 ? "" : "s"}`;

  function call(family, [m, n, p], P) {
    const arguments_ = {
      uncoded: [m, n, p], replication: [m, n, p, Math.max(1, Math.floor(P / (m * n * p)))], mds: [m, P], polynomial: [m, p, P],
      matdot: [n, P], approximate_matdot: [n, P], random_khatri_rao: [m, p, P, "rng=0"],
    }[family.name] || [m, n, p, P];
    return `anyk.codes.${family.name}(${arguments_.join(", ")})`;
  }

  // --- elements ---------------------------------------------------------------------------------------------------------

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function svg(name, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const controls = {};

  function form() {
    const groups = {};
    const place = (name, { group, label }, control, ...more) => {
      control.id = `explorer-${name}`;
      controls[name] = control;
      groups[group] ||= element("fieldset", {}, element("legend", {}, group));
      groups[group].append(element("div", { class: `field ${control.localName}` }, element("label", { for: control.id }, label), ...more, control));
    };
    for (const [name, each] of Object.entries(SLIDERS)) {
      const control = element("input", { type: "range", min: each.least, max: each.most, step: 1 });
      place(name, each, control, element("output", { for: `explorer-${name}` }));
      control.addEventListener("input", () => { asked[name] = Number(control.value); update(); });
    }
    for (const [name, each] of Object.entries(NUMBERS)) {
      const control = element("input", { type: "number", min: 1, max: 1e7, step: 1, inputmode: "numeric" });
      place(name, each, control);
      control.addEventListener("input", () => {
        const value = Number(control.value);
        if (Number.isInteger(value) && value >= 1 && value <= 1e7) { asked[name] = value; update(); }
      });
    }
    for (const [name, each] of Object.entries(CHOICES)) {
      const options = Object.entries(each.options).map(([value, words]) => element("option", { value }, words));
      const control = element("select", {}, ...options);
      place(name, each, control);
      control.addEventListener("change", () => { asked[name] = control.value; update(); });
    }
    return element("div", { class: "asked" }, ...Object.values(groups));
  }

  // --- one family -------------------------------------------------------------------------------------------------------

  // Everything about a family for what is asked.
  function looked(family) {
    const { P, missing, wrong, m, n, p, dtype } = asked;
    const costs = formulas.costs(family, [m, n, p], P, [asked.height, asked.depth, asked.width], dtype);
    const reserve = formulas.extra(wrong, asked.screen), come = costs.tasks - Math.min(missing, costs.tasks);
    const found = { family, ...costs, reserve, come, short: costs.threshold + reserve - come };
    if (!costs.exists) return found;
    const answers = asked.from === "first" ? costs.threshold : Math.max(come, costs.threshold);
    if (family.kind === "table") {
      const design = formulas.designError(tables[family.name], costs.cut, P, dtype);
      return { ...found, typical: design, worst: NaN };
    }
    const code = formulas.prepared(family, costs.cut, P, formulas.generator(1));
    return { ...found, code, ...formulas.errors(code, costs.tasks, answers, dtype, SETS, formulas.generator(2)) };
  }

  function verdict(found) {
    const { family, exists, threshold, tasks, short, come, reserve, typical } = found;
    if (!exists) {
      if (found.cut[1] < (family.least || 1)) return ["is-absent", "needs at least two inner blocks"];
      return ["is-absent", `needs ${Math.max(threshold, tasks)} workers`];
    }
    const idle = asked.P - tasks, unused = idle ? `; ${idle} of ${asked.P} workers stay idle` : "";
    if (typical > formulas.WORST_USEFUL && family.kind !== "table") {
      return ["is-short", `too inexact in ${asked.dtype}: the family refuses`];
    }
    if (short > 0) return ["is-short", `any ${threshold} of ${tasks} decode${reserve ? `, ${reserve} more are awaited` : ""}: ${answers(short)} short${unused}`];
    const spare = come - threshold - reserve;
    return ["is-fine", `any ${threshold} of ${tasks} decode${reserve ? `, ${reserve} more are awaited` : ""}; ${spare} to spare${unused}`];
  }

  function budget({ exists, threshold, reserve, come, tasks }) {
    if (!exists) return [];
    const whole = Math.max(tasks, threshold + reserve), needed = Math.min(threshold, come);
    const parts = [["needed", needed], ["reserve", Math.max(0, Math.min(reserve, come - threshold))],
      ["spare", Math.max(0, come - threshold - reserve)], ["missing", tasks - come], ["lacking", Math.max(0, whole - tasks)]];
    const words = parts.filter(([, count]) => count).map(([kind, count]) => `${count} ${kind}`).join(", ");
    const bar = element("div", { class: "budget", role: "img", "aria-label": `Answers: ${words}` });
    for (const [kind, count] of parts) if (count) bar.append(element("i", { class: kind, style: `width:${(100 * count) / whole}%` }));
    return [bar];
  }

  const NUMBERS_OF = [
    ["workerBytes", "per worker", size],
    ["upBytes", "sent out", size],
    ["downBytes", "sent back", size],
    ["work", "work of all", (value) => `${digits(value)} ×`],
  ];

  function row(found, least) {
    const [state, words] = verdict(found), { family } = found;
    const item = element("li", { class: `family ${state}`, "data-family": family.name });
    item.append(element("div", { class: "head" }, element("strong", {}, family.name), element("code", {}, call(family, [asked.m, asked.n, asked.p], asked.P))));
    item.append(...budget(found), element("div", { class: "verdict" }, words));
    if (!found.exists) return item;
    for (const [name, label, say] of NUMBERS_OF) {
      const mark = least[name] === found[name] && state === "is-fine" ? " least" : "";
      item.append(element("div", { class: `number${mark}`, "data-name": name }, element("span", {}, label), element("b", {}, say(found[name]))));
    }
    const number = (name, label, text) => element("div", { class: "number", "data-name": name }, element("span", {}, label), element("b", {}, text));
    item.append(number("typical", family.kind === "table" ? "error by design" : "error, typical", error(found.typical)));
    if (family.kind !== "table") item.append(number("worst", "error, worst kind", error(found.worst)));
    return item;
  }

  // --- errors against answers -------------------------------------------------------------------------------------------

  function points(found) {
    const { threshold, tasks, code } = found, step = Math.max(1, Math.ceil((tasks - threshold) / (MOST_POINTS - 1)));
    const numbers = [];
    for (let count = threshold; count < tasks; count += step) numbers.push(count);
    numbers.push(tasks);
    return numbers.map((count) => ({ count, ...formulas.errors(code, tasks, count, asked.dtype, SETS, formulas.generator(2)) }));
  }

  const TOP = 12, HEIGHT = 190;

  function chart(found) {
    const names = svg("svg", { class: "names", "aria-hidden": "true" }), plot = svg("svg", { class: "plot", role: "img" });
    const told = element("p", { class: "told" });
    if (!found.exists || !found.code) {
      told.textContent = found.exists
        ? "The errors of approximate codes are tabulated for the fewest answers only; `code.errors(results)` gives the others."
        : `${found.family.name} cannot be made at this cut on ${asked.P} workers.`;
      return [told];
    }
    const every = points(found), values = every.flatMap((each) => [each.typical, each.worst]).filter((value) => value > 0 && value < 1e3);
    const low = Math.floor(Math.log10(Math.min(...values, 1e-3))), high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(...values))));
    const first = found.threshold, span = Math.max(1, found.tasks - first);
    const x = (count) => (found.tasks === first ? 50 : (100 * (count - first)) / span);
    const y = (value) => TOP + (HEIGHT * (high - Math.log10(Math.min(Math.max(value, 10 ** low), 10 ** high)))) / (high - low);
    const every_ = Math.ceil((high - low) / 6);
    for (let power = low; power <= high; power += every_) {
      names.append(svg("text", { x: -8, y: y(10 ** power) + 4, "text-anchor": "end" }, power ? `1e${power}` : "1"));
      plot.append(svg("line", { x1: 0, x2: "100%", y1: y(10 ** power), y2: y(10 ** power) }));
    }
    if (low < -3 && high > -3) plot.append(svg("line", { class: "useless", x1: 0, x2: "100%", y1: y(1e-3), y2: y(1e-3) }));
    const labels = Math.ceil(every.length / 7);
    every.forEach(({ count }, place) => {
      if (place % labels && count !== found.tasks) return;
      if (count !== found.tasks && found.tasks - count < span / 14) return;
      const anchor = x(count) < 4 ? "start" : x(count) > 96 ? "end" : "middle";
      const kind = place % (2 * labels) && count !== found.tasks ? { class: "fine" } : {};
      plot.append(svg("text", { ...kind, x: `${x(count)}%`, y: TOP + HEIGHT + 18, "text-anchor": anchor }, String(count)));
    });
    plot.append(svg("text", { x: "100%", y: TOP + HEIGHT + 36, "text-anchor": "end" }, "answers"));
    for (const kind of ["worst", "typical"]) {
      const line = every.filter((each) => each[kind] >= 0).map((each) => `${x(each.count).toFixed(2)},${y(each[kind]).toFixed(1)}`).join(" ");
      const inner = svg("svg", { viewBox: `0 0 100 ${TOP + HEIGHT}`, preserveAspectRatio: "none", overflow: "visible", width: "100%", height: TOP + HEIGHT });
      inner.append(svg("polyline", { points: line, class: kind }));
      plot.append(inner);
      for (const each of every) {
        if (!(each[kind] >= 0)) continue;
        const mark = kind === "typical" ? svg("circle", { r: 4, class: "typical-mark" }) : svg("path", { d: "M0-6 6 0 0 6-6 0Z", class: "worst-mark" });
        const place = svg("svg", { x: `${x(each.count)}%`, y: y(each[kind]), width: 1, height: 1, overflow: "visible" });
        mark.append(svg("title", {}, `${kind === "typical" ? "Typical" : "Worst kind of set"}: ${error(each[kind])} from ${answers(each.count)}`));
        place.append(mark);
        plot.append(place);
      }
    }
    const [fewest, most] = [every[0], every[every.length - 1]];
    const words = `${found.family.name}, ${asked.dtype}: typically ${error(fewest.typical)} from ${answers(fewest.count)}, ${error(most.typical)} from all ${most.count}; worst kind of set ${error(fewest.worst)} from ${fewest.count}.`;
    plot.setAttribute("aria-label", words);
    told.textContent = words;
    return [element("div", { class: "chart" }, names, plot), told];
  }

  // --- all of it --------------------------------------------------------------------------------------------------------

  const list = element("ul", { class: "families" }), picture = element("div");
  const chooser = element("select", { id: "explorer-family" }, ...formulas.FAMILIES.map(({ name }) => element("option", { value: name }, name)));

  function draw() {
    const every = formulas.FAMILIES.map(looked), fitting = every.filter((found) => verdict(found)[0] === "is-fine");
    const least = {};
    for (const [name] of NUMBERS_OF) least[name] = Math.min(...fitting.map((found) => found[name]));
    list.replaceChildren(...every.map((found) => row(found, least)));
    picture.replaceChildren(...chart(every.find((found) => found.family.name === asked.family)));
    root.dataset.ready = JSON.stringify(asked);
  }

  let waiting = 0;
  function update() {
    for (const name of Object.keys(SLIDERS)) controls[name].parentElement.querySelector("output").textContent = asked[name];
    toAddress();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  }

  function show() {
    for (const [name, control] of Object.entries(controls)) control.value = asked[name];
    chooser.value = asked.family;
    update();
  }

  fromAddress();
  const key = [["needed", "answers needed"], ["reserve", "awaited for wrong ones"], ["spare", "to spare"], ["missing", "missing"], ["lacking", "lacking"]];
  root.replaceChildren(
    form(),
    element("ul", { class: "key", "aria-label": "What the bars mean" }, ...key.map(([kind, words]) => element("li", {}, element("i", { class: kind }), words))),
    list,
    element("div", { class: "errors" },
      element("div", { class: "field" }, element("label", { for: "explorer-family" }, "Relative error against answers, of"), chooser),
      element("ul", { class: "key" },
        element("li", {}, "● typical: the median of random survivor sets"), element("li", {}, "◇ the worst kind: neighbours missing"), element("li", {}, "⋯ 1e-3")),
      picture),
  );
  chooser.addEventListener("change", () => { asked.family = chooser.value; update(); });
  addEventListener("hashchange", () => { fromAddress(); show(); });
  show();
})();
