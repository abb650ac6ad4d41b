"use strict";
// What a code costs and how exact it is, from the formulas of the library: `anyk.codes`, `anyk.bases`, `anyk.weights`.
// No page is needed: tests run this file alone and compare every number with Python's.
//
// Legend: m, n, p = rows, inner, cols; P = workers; K = recovery threshold; k = answers; lambda = error of one answer.

globalThis.anykFormulas = (() => {
  const EPSILONS = { float64: 2 ** -52, float32: 2 ** -23 };
  const BYTES = { float64: 8, float32: 4 };
  // A family refuses to be built where half of its survivor sets miss this relative error.
  const WORST_USEFUL = 1e-3;

  // lambda, as `anyk.weights.product_error`
  const lambda = (dtype) => 1.5 * EPSILONS[dtype];

  // --- families: how they cut A and B, and how many answers they need -----------------------------------------------

  // kind: "circle" (the trigonometric formula), "copies", "random", "table" (errors exported by Python)
  const FAMILIES = [
    { name: "uncoded", kind: "copies", cut: (m, n, p) => [m, n, p], tasks: ([m, n, p]) => m * n * p,
      threshold: ([m, n, p]) => m * n * p },
    { name: "replication", kind: "copies", cut: (m, n, p) => [m, n, p],
      tasks: ([m, n, p], P) => m * n * p * Math.max(1, Math.floor(P / (m * n * p))),
      threshold: ([m, n, p], P) => { const c = Math.max(1, Math.floor(P / (m * n * p))); return c * m * n * p - c + 1; } },
    { name: "mds", kind: "circle", cut: (m) => [m, 1, 1], threshold: ([m]) => m },
    { name: "polynomial", kind: "circle", cut: (m, n, p) => [m, 1, p], threshold: ([m, , p]) => m * p },
    { name: "matdot", kind: "circle", cut: (m, n) => [1, n, 1], threshold: ([, n]) => 2 * n - 1 },
    { name: "polydot", kind: "circle", cut: (m, n, p) => [m, n, p], stride: (n) => 2 * n - 1,
      threshold: ([m, n, p]) => m * p * (2 * n - 1) },
    { name: "generalized_polydot", kind: "circle", cut: (m, n, p) => [m, n, p],
      threshold: ([m, n, p]) => m * n * p + n - 1 },
    { name: "approximate_matdot", kind: "table", least: 2, cut: (m, n) => [1, n, 1], threshold: ([, n]) => n },
    { name: "approximate_polydot", kind: "table", least: 2, isComplex: true, cut: (m, n, p) => [m, n, p],
      threshold: ([m, n, p]) => m * n * p },
    { name: "random_khatri_rao", kind: "random", cut: (m, n, p) => [m, 1, p], threshold: ([m, , p]) => m * p },
  ];

  const blocksOf = (length, parts) => Math.ceil(length / parts);

  // What the family needs at this cut. sizes: [height, depth, width] of the matrices.
  function costs(family, [m, n, p], P, sizes, dtype) {
    const cut = family.cut(m, n, p), [rows, inner, cols] = cut, [height, depth, width] = sizes;
    const tasks = family.tasks ? family.tasks(cut, P) : P, threshold = family.threshold(cut, P);
    const entry = BYTES[dtype] * (family.isComplex ? 2 : 1);
    const h = blocksOf(height, rows), d = blocksOf(depth, inner), w = blocksOf(width, cols);
    return {
      cut, tasks, threshold,
      exists: threshold <= P && tasks <= P && inner >= (family.least || 1),
      leftBytes: entry * h * d, rightBytes: entry * d * w, answerBytes: entry * h * w,
      workerBytes: entry * (h * d + d * w + h * w),
      upBytes: entry * tasks * (h * d + d * w),
      downBytes: entry * threshold * h * w,
      // real multiplications of all workers per one of the plain product; complex ones count 4
      work: tasks * h * d * w * (family.isComplex ? 4 : 1) / (height * depth * width),
    };
  }

  // Answers to await beyond K so that `wrong` of them can be wrong, as `anyk.matmul(screen=...)`.
  function extra(wrong, screen) {
    if (!wrong || screen === "checked") return wrong;
    return screen === "adversarial" ? 2 * wrong : wrong + 1;
  }

  // --- evaluation points and the trigonometric basis, as `anyk.bases` -------------------------------------------------

  const gcd = (a, b) => (b ? gcd(b, a % b) : a);

  // Positions that put neighbours in rank far apart.
  function scattered(P) {
    let best = 1;
    for (let g = 1; g <= P; g++) if (gcd(g, P) === 1 && Math.abs(g - 0.618 * P) < Math.abs(best - 0.618 * P)) best = g;
    return Array.from({ length: P }, (_, w) => (w * best) % P);
  }

  // T_s^u at the angles pi position / P: one row of `size` numbers per position.
  function trigonometric(size, unit, positions) {
    const P = positions.length, odd = size % 2;
    return positions.map((position) => {
      const row = odd ? [1] : [];
      for (let f = 1 + odd; f < size; f += 2) {
        const angle = (Math.PI * ((f * unit * position) % (2 * P))) / P; // whole turns taken out first
        row.push(Math.SQRT2 * Math.cos(angle), Math.SQRT2 * Math.sin(angle));
      }
      return row;
    });
  }

  // The parity checks of P angles and a product of K frequencies: one row per position, orthonormal columns.
  function checksOf(K, positions) {
    const P = positions.length, scale = Math.sqrt(2 / P);
    return positions.map((position) => {
      const row = [];
      for (let f = K + 1; f < P; f += 2) {
        const angle = (Math.PI * ((f * position) % (2 * P))) / P;
        row.push(scale * Math.cos(angle), scale * Math.sin(angle));
      }
      if ((P - K) % 2) row.push((position % 2 ? -1 : 1) / Math.sqrt(P));
      return row;
    });
  }

  // --- least squares: all that decoding asks of linear algebra ---------------------------------------------------------

  // |X|^2 (Frobenius) of the X of least norm with A X = B, for A (rows x columns) of full row rank, as rows of numbers:
  // A^T = Q R by Householder reflections, X = Q R^-T B. Infinite where the rows depend on each other.
  function leastNorm(A, B) {
    const rows = A.length, columns = rows ? A[0].length : 0;
    if (rows > columns) return Infinity;
    const T = A.map((row) => Float64Array.from(row)); // T[i] is column i of A^T
    const R = [];
    for (let at = 0; at < rows; at++) {
      const v = T[at];
      let norm = 0;
      for (let r = at; r < columns; r++) norm += v[r] * v[r];
      norm = Math.sqrt(norm);
      if (!(norm > 0)) return Infinity;
      const diagonal = v[at] > 0 ? -norm : norm;
      R.push([...v.subarray(0, at), diagonal]);
      v[at] -= diagonal;
      let length = 0;
      for (let r = at; r < columns; r++) length += v[r] * v[r];
      for (let c = at + 1; c < rows && length > 0; c++) {
        const u = T[c];
        let dot = 0;
        for (let r = at; r < columns; r++) dot += v[r] * u[r];
        dot *= 2 / length;
        for (let r = at; r < columns; r++) u[r] -= dot * v[r];
      }
    }
    // R[i] holds R[0..i][i]: forward substitution with R^T
    let total = 0;
    for (let c = 0; c < B[0].length; c++) {
      const y = new Float64Array(rows);
      for (let i = 0; i < rows; i++) {
        let rest = B[i][c];
        for (let j = 0; j < i; j++) rest -= R[i][j] * y[j];
        y[i] = rest / R[i][i];
        total += y[i] * y[i];
      }
    }
    return total;
  }

  // --- noise amplification: relative error of the product per relative error of the answers ----------------------------

  // A prepared code: amplification(survivors), for survivors given as task numbers.
  function circle(family, [m, n, p], P) {
    const K = family.threshold([m, n, p], P), stride = family.stride ? family.stride(n) : n;
    const positions = scattered(P), checks = checksOf(K, positions);
    const a = trigonometric(m, stride * p, positions), c = trigonometric(p, stride, positions);
    // Weights of all answers, in units of tables of norm 1: outer functions times |left||right| / P.
    const size = (n * Math.sqrt(m * p)) / P;
    const all = positions.map((_, w) => a[w].flatMap((x) => c[w].map((y) => x * y * size)));
    const scale = m * n * p, squared = (m * n * p) / P;
    return {
      positions,
      // The weights of all answers are corrected by parity checks until nobody missing has any: |d|^2 = |d_all|^2 + |c|^2.
      amplification(survivors) {
        const here = new Set(survivors), missing = positions.map((_, w) => w).filter((w) => !here.has(w));
        if (survivors.length < K) return NaN;
        if (!missing.length) return Math.sqrt(squared);
        if (missing.length <= K) {
          const added = leastNorm(missing.map((w) => checks[w]), missing.map((w) => all[w]));
          return Math.sqrt(squared + added / scale);
        }
        // Fewer equations the other way round: weights of least norm that agree with d_all on all K frequencies.
        const basis = trigonometric(K, 1, positions), count = 1 / Math.sqrt(P);
        const wanted = Array.from({ length: K }, (_, f) => all[0].map((_, e) =>
          positions.reduce((sum, _, w) => sum + basis[w][f] * count * all[w][e], 0)));
        const rows = Array.from({ length: K }, (_, f) => survivors.map((w) => basis[w][f] * count));
        return Math.sqrt(leastNorm(rows, wanted) / scale);
      },
      // Missing tasks that are neighbours on the circle: the worst kind of set.
      neighbours: (answers) => positions.map((_, w) => w).filter((w) => positions[w] >= P - answers),
    };
  }

  // Every block product `copies` times, task w computing product w mod b: the mean of what came of each.
  function copies(family, cut, P) {
    const blocks = cut[0] * cut[1] * cut[2], tasks = family.tasks(cut, P);
    return {
      amplification(survivors) {
        const came = new Array(blocks).fill(0);
        for (const w of survivors) came[w % blocks] += 1;
        return came.every(Boolean) ? Math.sqrt(came.reduce((sum, each) => sum + 1 / each, 0) / blocks) : NaN;
      },
      // All that is missing is missing of one block product.
      neighbours: (answers) => Array.from({ length: tasks }, (_, w) => w)
        .filter((w) => w % blocks !== 0 || w / blocks >= tasks - answers),
    };
  }

  // Gaussian tables; M_S d = T is solved with weights of least norm.
  function random(family, [m, , p], P, draw) {
    const normal = () => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
    const left = Array.from({ length: P }, () => Array.from({ length: m }, normal));
    const right = Array.from({ length: P }, () => Array.from({ length: p }, normal));
    const unit = (row) => { const norm = Math.hypot(...row); return row.map((x) => x / norm); };
    const columns = left.map((row, w) => { const l = unit(row), r = unit(right[w]); return l.flatMap((x) => r.map((y) => x * y)); });
    const blocks = m * p, target = Array.from({ length: blocks }, (_, i) => Array.from({ length: blocks }, (_, j) => Number(i === j)));
    return {
      left, right,
      amplification: (survivors) => survivors.length < blocks ? NaN
        : Math.sqrt(leastNorm(target.map((_, i) => survivors.map((w) => columns[w][i])), target) / blocks),
      neighbours: null, // random tables have none
    };
  }

  function prepared(family, cut, P, draw) {
    return { circle, copies, random }[family.kind]?.(family, cut, P, draw);
  }

  // --- survivor sets -----------------------------------------------------------------------------------------------------

  // A small generator of numbers in [0, 1), the same in every browser (mulberry32).
  function generator(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  // `count` random sets of `answers` out of `tasks`, each ascending.
  function randomSets(tasks, answers, count, draw) {
    return Array.from({ length: count }, () => {
      const order = Array.from({ length: tasks }, (_, w) => w);
      for (let at = 0; at < answers; at++) {
        const other = at + Math.floor(draw() * (tasks - at));
        [order[at], order[other]] = [order[other], order[at]];
      }
      return order.slice(0, answers).sort((x, y) => x - y);
    });
  }

  // Typical (median of random sets) and worst-kind relative error from so many answers; NaN: does not decode.
  function errors(code, tasks, answers, dtype, count, draw) {
    const noise = lambda(dtype);
    const found = randomSets(tasks, answers, answers === tasks ? 1 : count, draw)
      .map((set) => code.amplification(set)).map((each) => (each >= 0 ? noise * each : Infinity)).sort((x, y) => x - y);
    const middle = found.length >> 1, typical = found.length % 2 ? found[middle] : (found[middle - 1] + found[middle]) / 2;
    const worst = code.neighbours ? noise * code.amplification(code.neighbours(answers)) : found[found.length - 1];
    return { typical, worst };
  }

  // --- approximate codes: design errors that Python exported ----------------------------------------------------------

  // table: {dtype: {"m,n,p": [[P, error], ...]}} for a family; between two numbers of workers, geometrically; null: of no
  // use from there on.
  function designError(table, [m, n, p], P, dtype) {
    const rows = table?.[dtype]?.[[m, n, p].join(",")] || table?.[dtype]?.[[p, n, m].join(",")];
    if (!rows) return NaN;
    if (P <= rows[0][0]) return rows[0][1];
    for (let at = 1; at < rows.length; at++) {
      const [[before, low], [after, high]] = [rows[at - 1], rows[at]];
      if (P < after && high === null) return low;
      if (P <= after) return high === null ? Infinity : low * (high / low) ** ((P - before) / (after - before));
    }
    return rows[rows.length - 1][1] ?? Infinity;
  }

  return { FAMILIES, WORST_USEFUL, lambda, costs, extra, scattered, trigonometric, checksOf, leastNorm, prepared,
    generator, randomSets, errors, designError };
})();

if (typeof module !== "undefined") module.exports = globalThis.anykFormulas;
