# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One optimizer step of a whole model in NumPy, the measure of all others.

`step` is written from the definition of the step, not from the compiler, and
runs in two precisions:

  * float64 is the reference. Numbers are rounded only where the step stores
    them: weights, masters and optimizer state, each in its own type. The
    run-time scalars (learning rate, weight decay, momentum, clip limit) are
    f32 by definition and are rounded to it first.
  * float32 is the *plain model*: the same formulas in ordinary single
    precision, and an iteration that rounds to its compute type where compiled
    steps do, in the form they use. Its distance from the reference is the
    yardstick for what rounding alone may do to a result (tolerance.py).

For a weight W (r x c) with gradient G and momentum M:

  clip       G <- k G,  k = min(1, L / (|G|_all + 1e-6))
  momentum   ema         M <- b M + (1-b) G,  U = b M + (1-b) G or M
             heavy_ball  M <- b M + G,        U = G + b M       or M
             (the first U with nesterov, the second without; M unrounded)
  normalise  X = U / (safety |U|_F + eps),  and 0 for U = 0
  iterate    A = X X^T,  X <- a X + (b A + c A^2) X,  on the short side
  apply      W <- (1 - lr wd) W - lr mult s X

Muon: https://kellerjordan.github.io/posts/muon/
AdamW: Loshchilov and Hutter, https://arxiv.org/abs/1711.05101
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Container, Mapping, Optional, Sequence, Union

import numpy as np

from rules import AdamW, Muon, Parameter, Plan, Triple
from storage import Tensor, rounded

# Coefficients (a, b, c) of X <- a X + b (X X^T) X + c (X X^T)^2 X, one triple
# per step.
SCHEDULES: dict[str, tuple[Triple, ...]] = {
    # Keller Jordan, https://github.com/KellerJordan/Muon, muon.py.
    "keller_jordan": ((3.4445, -4.7750, 2.0315),),
    # Jiacheng You; microsoft/dion, newton_schulz "you" table.
    "you": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
    # Polar Express (https://arxiv.org/abs/2505.16932) as shipped by
    # KellerJordan/modded-nanogpt and microsoft/dion: safety factor 2e-2,
    # cushion 2. They divide by 1.02 |U|_F: use it with safety = 1.02.
    "polar_express": (
        (8.156554524902461, -22.48329292557795, 15.878769915207462),
        (4.042929935166739, -2.808917465908714, 0.5000178451051316),
        (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
        (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
        (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
    ),
    # CANS (Chebyshev-accelerated Newton-Schulz,
    # https://arxiv.org/abs/2506.10935); NVIDIA-NeMo/Emerging-Optimizers,
    # muon_utils.py.
    "cans": (
        (8.4703, -25.1081, 18.6293),
        (4.1828, -3.1087, 0.5806),
        (3.9619, -2.9541, 0.5630),
        (3.2866, -2.4647, 0.5074),
        (2.2737, -1.6447, 0.4162),
    ),
    # "cubic5" of NVIDIA-NeMo/Emerging-Optimizers: c = 0, so A^2 is not needed.
    "cubic": (
        (3.3656576, -3.3420992, 0.0),
        (2.5744352, -1.4957376, 0.0),
        (2.5368962, -1.4312570, 0.0),
        (2.4418906, -1.2764040, 0.0),
        (2.2230472, -0.9630650, 0.0),
    ),
}

# Different but equally plain ways to evaluate the f32 model, and one that
# stands in for a compiled step; see `_iterate`.
PLAIN_VARIANTS = (0, 1, 2)
MORE_VARIANTS = (4, 5, 6, 7, 8, 9)
STAND_IN = 3
# Multiples of U that variants start from. Powers of two would change nothing.
MULTIPLES = {1: 0.8203125, 2: 0.6796875, 4: 0.9140625, 5: 0.7578125,
             6: 0.6171875, 7: 0.5390625, 8: 0.8671875, 9: 0.9609375}

Scalar = Union[float, Mapping[str, float], None]


def coefficients(schedule: Union[str, Sequence[Triple]],
                 steps: int) -> list[Triple]:
    """`steps` triples: the first ones, the last one repeated if too few."""
    table = SCHEDULES[schedule] if isinstance(schedule, str) else schedule
    return [tuple(table[min(i, len(table) - 1)]) for i in range(steps)]


def scale_factor(rule: Union[str, float], rows: int, cols: int,
                 transposed: bool = False) -> float:
    """s of a (rows x cols) matrix; fan-out is rows unless `transposed`."""
    if not isinstance(rule, str):
        return float(rule)
    r, c = (cols, rows) if transposed else (rows, cols)
    return {
        "none": 1.0,
        # KellerJordan/Muon
        "original": max(1.0, r / c) ** 0.5,
        # Moonlight, https://arxiv.org/abs/2502.16982, section 2.2
        "match_rms_adamw": 0.2 * max(r, c) ** 0.5,
        # microsoft/dion, "spectral_norm"
        "spectral": (r / c) ** 0.5,
    }[rule]


def momentum_update(form: str, nesterov: bool, M, G, beta):
    """(new M, U) of momentum M and gradient G, elementwise, any shape."""
    one = type(beta)(1)
    weight = {"ema": one - beta, "heavy_ball": one}[form]
    M = beta * M + weight * G
    return M, (beta * M + weight * G if nesterov else M)


@lru_cache
def _upper(m: int) -> np.ndarray:
    """Where a triangle with the diagonal is."""
    return np.triu(np.ones((m, m), bool))


class _Arithmetic:
    """Products of an iteration in type `compute`, sums in f32; exact in f64.

    An f32 array holds numbers of the type: what is stored is rounded once,
    and tf32 rounds what it multiplies instead. 2^power keeps m x m matrices
    within the range of f16. It is exact, and so only moves the subnormals.
    `in_order` adds up products one after the other where NumPy adds partial
    sums: after one huge number, single small ones leave no trace in f32.
    """

    def __init__(self, compute: str, dtype, in_order: bool = False):
        self.t = np.dtype(dtype).type
        self.in_order = in_order
        single = self.t is np.float32
        self.stored = compute if single and compute != "tf32" else "f32"
        self.multiplied = "tf32" if single and compute == "tf32" else "f32"
        self.power = 8 if self.stored == "f16" else 0

    def _round(self, values, compute: str, power: int = 0) -> np.ndarray:
        return values if compute == "f32" else rounded(values, compute, power)

    def matrix(self, values: np.ndarray, power: int = 0) -> np.ndarray:
        """X as it is stored."""
        return self._round(values, self.stored, power)

    def symmetric(self, values: np.ndarray) -> np.ndarray:
        """A symmetric matrix as it is stored: one triangle and its mirror."""
        both = np.where(_upper(len(values)), values, values.T)
        return self._round(both, self.stored, self.power)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = (self._round(x, self.multiplied) for x in (a, b))
        if not self.in_order:
            return a @ b
        total = np.zeros((a.shape[0], b.shape[1]), self.t)
        for column, row in zip(a.T.astype(np.float64), b.astype(np.float64)):
            # Exact up to here for f32: one rounding for product and sum.
            total = (total + np.multiply.outer(column, row)).astype(self.t)
        return total


def segments(steps: int, restarts: Optional[Sequence[int]]
             ) -> list[tuple[int, int]]:
    """(first step, end) of the runs of steps between two returns to X: every
    step by itself if `restarts` is None, the direct form."""
    if not steps:
        return []
    ends = [0, *(range(1, steps) if restarts is None else restarts), steps]
    assert all(a < b for a, b in zip(ends, ends[1:])), (steps, restarts)
    return list(zip(ends, ends[1:]))


def _segment(op: _Arithmetic, X: np.ndarray, triples: Sequence[Triple],
             factor) -> np.ndarray:
    """`triples` applied to f X, not yet stored. With A = (f X)(f X)^T,

      X <- f q(A) X,  q the product of all a + b R + c R^2, where R is A first
                      and then (a + b R + c R^2)^2 R

    in m x m matrices alone, but for A and the end. All are polynomials in A:
    symmetric, and they commute. The first factor of q keeps its a I apart,
    which rounding of the sum would drown where b R + c R^2 is small.
    """
    t = op.t
    if len(triples) == 1 and not triples[0][2]:
        a, b, _ = triples[0]
        P = op.symmetric(t(b) * (factor * factor) * op.multiply(X, X.T))
        return factor * (t(a) * X + op.multiply(P, X))
    R = op.symmetric((factor * factor) * op.multiply(X, X.T))
    # The polynomial so far is u Q + q I.
    Q, u, q = None, t(1), t(0)
    for i, (a, b, c) in enumerate(triples):
        a = t(a)
        if c:
            Z = op.symmetric(t(b) * R + t(c) * op.multiply(R, R))
            v = t(1)
        else:
            Z, v = R, t(b)  # v Z, which nobody stores
        if i == 0:
            Q, u, q = Z, v, a
        else:
            Q = (u * v) * op.multiply(Q, Z) + (a * u) * Q + (q * v) * Z
            Q[np.diag_indices_from(Q)] += q * a
            Q, u, q = op.symmetric(Q), t(1), t(0)
        if i + 1 < len(triples):
            W = op.symmetric(v * op.multiply(R, Z) + a * R)
            R = op.symmetric(v * op.multiply(Z, W) + a * W)
    QX = u * op.multiply(Q, X)
    return factor * (q * X + QX if q else QX)


def _iterate(U: np.ndarray, triples: Sequence[Triple], safety: float,
             eps: float, variant: int, compute: str,
             restarts: Optional[Sequence[int]], in_order: bool) -> np.ndarray:
    """orthogonalize for one (m x n) matrix, m <= n, in U's own precision.

    The power of two that keeps squares in range is exact, so that it does not
    matter to the result. `variant` chooses among evaluations that are equal
    but for rounding: 0 divides by the norm, 1 multiplies by its reciprocal
    and sums in another order, all others put the norm into the first step, as
    all variants do in types narrower than f32. 1 and 2 take norms that are two
    units in the last place too large and too small, as a sum in yet another
    order may be: where the polynomial is steep at the largest singular value,
    that is what decides. And all but 0 start from MULTIPLES of U, which have
    the same exact result, but every rounding falls another way: they are
    samples of what rounding may do.

    STAND_IN is no plain evaluation, but what a compiled one might be: it
    rounds U as 0 does, with another order of sums.
    """
    t = U.dtype.type
    op = _Arithmetic(compute, t, in_order)
    narrow = t is np.float32 and compute != "f32"
    peak = np.max(np.abs(U), initial=0)
    if peak == 0:
        return np.zeros_like(U)
    permuted = variant in (1, STAND_IN)
    if permuted:
        rng = np.random.default_rng(U.shape[1] + variant)
        rows, cols = (rng.permutation(k) for k in U.shape)
        U = U[np.ix_(rows, cols)]
    exponent = int(np.frexp(peak)[1])
    Y = np.ldexp(U, -exponent)
    eps = np.ldexp(float(eps), -exponent)
    if variant in MULTIPLES:
        Y = Y * t(MULTIPLES[variant])
        eps = eps * MULTIPLES[variant]
    norm = np.sqrt(np.sum(Y * Y))
    norm *= t(1) + t({1: 2, 2: -2}.get(variant, 0)) * np.finfo(t).eps
    norm = t(safety) * norm + t(eps)
    if variant >= 2 or narrow:
        # |x| up to 2^14 is in the range of f16.
        X, factor = op.matrix(Y, 14 if op.power else 0), t(1) / norm
    else:
        X, factor = (Y * (t(1) / norm) if variant == 1 else Y / norm), t(1)
    with np.errstate(over="ignore", invalid="ignore"):
        for begin, end in segments(len(triples), restarts):
            X = _segment(op, X, triples[begin:end], factor)
            factor = t(1)
            # The last one is the direction, which is f32 in all types.
            if end < len(triples):
                X = op.matrix(X)
    if not triples:
        X = factor * X
    if permuted:
        back = np.empty_like(X)
        back[np.ix_(rows, cols)] = X
        X = back
    return X


def orthogonalize(U: np.ndarray, schedule: Union[str, Sequence[Triple]],
                  steps: int = 5, safety: float = 1.0, eps: float = 0.0,
                  variant: int = 0, compute: str = "f32",
                  restarts: Optional[Sequence[int]] = None,
                  in_order: bool = False, side: str = "short") -> np.ndarray:
    """Newton-Schulz on every matrix of U (... x r x c), on its short side, or
    on that of its rows or columns.

    With singular values s_i of U / (safety |U|_F + eps), the result has the
    same singular vectors and the values p_T(...p_1(s_i)), p_t(s) = a s + b s^3
    + c s^5. `compute`, `restarts`, the steps before which the Gram form
    returns to X (None: direct form), `in_order`, the order of sums in products
    (_Arithmetic), and `side` change no value but by rounding.
    """
    triples = coefficients(schedule, steps)
    flat = U.reshape((-1,) + U.shape[-2:])
    out = np.empty_like(flat)
    how = (triples, safety, eps, variant, compute, restarts, in_order)
    for i, matrix in enumerate(flat):
        if side == "rows" or (side == "short"
                              and matrix.shape[0] <= matrix.shape[1]):
            out[i] = _iterate(matrix, *how)
        else:
            out[i] = _iterate(matrix.T, *how).T
    return out.reshape(U.shape)


def plain_form(options: Muon) -> tuple[str, Optional[tuple[int, ...]]]:
    """(compute, restarts) of the plain model of `options`."""
    compute = "f32" if options.compute == "auto" else options.compute
    if options.iteration != "gram":
        return compute, None
    if options.restarts is None:
        raise ValueError("the compiler's choice of restarts is not known")
    return compute, options.restarts


@dataclass
class StepResult:
    """Outputs of `step`.

    `params` and `state` hold what is stored. `values` holds the same numbers
    before rounding to the storage type, under the same names (in f64 for the
    reference, f32 for the plain model). `update` is lr mult s O or
    lr mult m / (sqrt(v) + eps): what was subtracted apart from the decay.
    """

    ok: bool
    clip: float
    params: dict[str, Tensor]
    state: dict[str, Tensor]
    values: dict[str, np.ndarray] = field(default_factory=dict)
    update: dict[str, np.ndarray] = field(default_factory=dict)
    nonfinite: list[str] = field(default_factory=list)


def state_roles(parameter: Parameter) -> list[tuple[str, str]]:
    """(role, storage type) of the state tensors of a parameter."""
    roles: list[tuple[str, str]] = []
    if isinstance(parameter.optimizer, Muon):
        roles.append(("momentum", parameter.state_type))
    elif isinstance(parameter.optimizer, AdamW):
        roles.append(("exp_avg", parameter.state_type))
        roles.append(("exp_avg_sq", parameter.state_type))
    if parameter.has_master:
        roles.append(("master", "F32"))
    return roles


def init_state(plan: Plan, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state before the first step: zero, masters equal to the weights."""
    state = {"step": Tensor.zeros((), "I64")}
    for p in plan.trained():
        for role, dtype in state_roles(p):
            weight = params[p.name]
            state[f"{p.name}.{role}"] = (
                Tensor.of(weight.values(), dtype) if role == "master"
                else Tensor.zeros(weight.shape, dtype))
    return state


def _scalar(given: Scalar, group: str, default: Optional[float], dtype):
    """A run-time scalar of a rule group, which is f32 by definition."""
    if isinstance(given, Mapping):
        given = given.get(group, given.get(""))
    value = default if given is None else given
    if value is None:
        raise ValueError(f"no value for group '{group}'")
    return dtype(np.float32(value))


def _blocks(options: Muon, shape: tuple[int, ...]) -> list[slice]:
    """Row blocks of the first dimension that are matrices of their own."""
    if options.split is None:
        return [slice(None)]
    assert len(shape) == 2 and sum(options.split) == shape[0], options.split
    ends = np.cumsum(options.split)
    return [slice(end - rows, end) for end, rows in zip(ends, options.split)]


def muon_step(options: Muon, W, G, M, lr, weight_decay, beta, variant=0,
              in_order=False):
    """(new W, new M, update) of one tensor, all in W's precision."""
    t = W.dtype.type
    M, U = momentum_update(options.momentum_form, options.nesterov, M, G, beta)
    update = np.empty_like(W)
    compute, restarts = (("f32", None) if t is np.float64
                         else plain_form(options))
    for rows in _blocks(options, W.shape):
        O = orthogonalize(U[rows], options.schedule, options.steps,
                          options.safety, options.eps, variant, compute,
                          restarts, in_order, options.side)
        s = scale_factor(options.scale, *O.shape[-2:], options.transposed)
        update[rows] = lr * t(options.lr_multiplier * s) * O
    return (t(1) - lr * weight_decay) * W - update, M, update


def adamw_step(options: AdamW, W, G, m, v, lr, weight_decay, t_step: int):
    """(new W, new m, new v, update) of one tensor of any rank."""
    t = W.dtype.type
    beta1, beta2 = map(t, options.betas)
    m = beta1 * m + (t(1) - beta1) * G
    v = beta2 * v + (t(1) - beta2) * (G * G)
    m_hat = m / (t(1) - beta1 ** t(t_step))
    v_hat = v / (t(1) - beta2 ** t(t_step))
    update = (lr * t(options.lr_multiplier)) * m_hat \
        / (np.sqrt(v_hat) + t(options.eps))
    return (t(1) - lr * weight_decay) * W - update, m, v, update


def step(plan: Plan, params: Mapping[str, Tensor], grads: Mapping[str, Tensor],
         state: Mapping[str, Tensor], *, lr: Scalar,
         weight_decay: Scalar = None, momentum: Scalar = None,
         clip: Optional[float] = None, dtype=np.float64, variant: int = 0,
         in_order: bool = False, only: Optional[Container[str]] = None
         ) -> StepResult:
    """One step of the whole model, or of its parameters that are in `only`.

    Inputs are not modified.

    Scalars are one number for all groups, or a mapping from group to number
    ("" for all others); None takes the default of the rules file.
    """
    trained = plan.trained()

    # Look, before anything is stored: sums of squares, always in f64.
    nonfinite, total = [], 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for p in trained:
            total += float(np.sum(np.square(grads[p.name].values())))
            looked = [(p.name, grads[p.name])]
            if isinstance(p.optimizer, Muon):
                name = f"{p.name}.momentum"
                looked.append((name, state[name]))
            nonfinite += [name for name, tensor in looked
                          if not np.all(np.isfinite(tensor.values()))]
    kappa = 1.0
    if plan.clip_global_norm is not None:
        limit = float(np.float32(plan.clip_global_norm if clip is None
                                 else clip))
        kappa = min(1.0, limit / (np.sqrt(total) + 1e-6))
    if nonfinite and plan.skip_nonfinite:
        return StepResult(False, kappa, dict(params), dict(state),
                          nonfinite=nonfinite)

    count = int(state["step"].bits) + 1
    result = StepResult(True, kappa, dict(params), dict(state),
                        nonfinite=nonfinite)
    result.state["step"] = Tensor("I64", np.array(count, "<i8"))

    for p in trained:
        options, name = p.optimizer, p.name
        if only is not None and name not in only:
            continue
        rate = _scalar(lr, p.group, None, dtype)
        decay = _scalar(weight_decay, p.group, options.weight_decay, dtype)
        source = state[f"{name}.master"] if p.has_master else params[name]
        W = source.values(dtype)
        G = grads[name].values(dtype)
        if plan.clip_global_norm is not None:
            G = dtype(kappa) * G
        if isinstance(options, Muon):
            beta = _scalar(momentum, p.group, options.momentum, dtype)
            M = state[f"{name}.momentum"].values(dtype)
            W, M, update = muon_step(options, W, G, M, rate, decay, beta,
                                     variant, in_order)
            new = {"momentum": M}
        else:
            m = state[f"{name}.exp_avg"].values(dtype)
            v = state[f"{name}.exp_avg_sq"].values(dtype)
            W, m, v, update = adamw_step(options, W, G, m, v, rate, decay,
                                         count)
            new = {"exp_avg": m, "exp_avg_sq": v}
        result.update[name] = np.asarray(update)
        if p.has_master:
            new["master"] = W
        for role, role_type in state_roles(p):
            key = f"{name}.{role}"
            result.values[key] = np.asarray(new[role])
            result.state[key] = Tensor.of(new[role], role_type)
        # The low-precision copy is a copy of the master, not of its source.
        stored = result.state[f"{name}.master"].values() if p.has_master else W
        result.values[name] = np.asarray(stored)
        result.params[name] = Tensor.of(stored, p.weight_type)
    return result
