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
    precision. Its distance from the reference is the yardstick for what
    rounding alone may do to a result (tolerance.py).

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
from typing import Mapping, Optional, Sequence, Union

import numpy as np

from rules import AdamW, Muon, Parameter, Plan, Triple
from storage import Tensor

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

# Different but equally plain ways to evaluate the f32 model; see `_iterate`.
PLAIN_VARIANTS = 3

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


def _iterate(U: np.ndarray, triples: Sequence[Triple], safety: float,
             eps: float, variant: int) -> np.ndarray:
    """orthogonalize for one (m x n) matrix, m <= n, in U's own precision.

    The power of two that keeps squares in range is exact, so that it does not
    matter to the result. `variant` chooses among evaluations that are equal
    but for rounding: 0 divides by the norm, 1 multiplies by its reciprocal
    and sums in another order, 2 puts the norm into the first step. 1 and 2
    take norms that are two units in the last place too large and too small,
    as a sum in yet another order may be: where the polynomial is steep at the
    largest singular value, that is what decides.
    """
    t = U.dtype.type
    peak = np.max(np.abs(U), initial=0)
    if peak == 0:
        return np.zeros_like(U)
    if variant == 1:
        rng = np.random.default_rng(U.shape[1])
        rows, cols = (rng.permutation(k) for k in U.shape)
        U = U[np.ix_(rows, cols)]
    exponent = int(np.frexp(peak)[1])
    Y = np.ldexp(U, -exponent)
    norm = np.sqrt(np.sum(Y * Y))
    norm *= t(1) + t((0, 2, -2)[variant]) * np.finfo(t).eps
    norm = t(safety) * norm + t(np.ldexp(float(eps), -exponent))
    if variant == 2:
        X, factor = Y, t(1) / norm
    else:
        X, factor = (Y * (t(1) / norm) if variant == 1 else Y / norm), t(1)
    for a, b, c in triples:
        A = (factor * factor) * (X @ X.T)
        B = t(b) * A + t(c) * (A @ A) if c else t(b) * A
        X = (t(a) * factor) * X + factor * (B @ X)
        factor = t(1)
    if not triples:
        X = factor * X
    if variant == 1:
        back = np.empty_like(X)
        back[np.ix_(rows, cols)] = X
        X = back
    return X


def orthogonalize(U: np.ndarray, schedule: Union[str, Sequence[Triple]],
                  steps: int = 5, safety: float = 1.0, eps: float = 0.0,
                  variant: int = 0) -> np.ndarray:
    """Newton-Schulz on every matrix of U (... x r x c), on its short side.

    With singular values s_i of U / (safety |U|_F + eps), the result has the
    same singular vectors and the values p_T(...p_1(s_i)), p_t(s) = a s + b s^3
    + c s^5.
    """
    triples = coefficients(schedule, steps)
    flat = U.reshape((-1,) + U.shape[-2:])
    out = np.empty_like(flat)
    for i, matrix in enumerate(flat):
        if matrix.shape[0] <= matrix.shape[1]:
            out[i] = _iterate(matrix, triples, safety, eps, variant)
        else:
            out[i] = _iterate(matrix.T, triples, safety, eps, variant).T
    return out.reshape(U.shape)


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


def muon_step(options: Muon, W, G, M, lr, weight_decay, beta, variant=0):
    """(new W, new M, update) of one tensor, all in W's precision."""
    t = W.dtype.type
    M, U = momentum_update(options.momentum_form, options.nesterov, M, G, beta)
    update = np.empty_like(W)
    for rows in _blocks(options, W.shape):
        O = orthogonalize(U[rows], options.schedule, options.steps,
                          options.safety, options.eps, variant)
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
         clip: Optional[float] = None, dtype=np.float64,
         variant: int = 0) -> StepResult:
    """One step of the whole model. Inputs are not modified.

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
                                     variant)
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
