"""Turns in three dimensions, compiled: vectors float64 (3,), matrices (3, 3)."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def cross(a, b):
    out = np.empty(3)
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]
    return out


@njit(cache=True, nogil=True)
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True)
def length(a):
    return math.sqrt(dot(a, a))


@njit(cache=True, nogil=True)
def unit(a):
    """Of length 1; a vector without length stays what it is."""
    return a / max(length(a), 1e-9)


@njit(cache=True, nogil=True)
def product(A, B):
    out = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            out[i, j] = A[i, 0] * B[0, j] + A[i, 1] * B[1, j] + A[i, 2] * B[2, j]
    return out


@njit(cache=True, nogil=True)
def turned(A, v):
    out = np.empty(3)
    for i in range(3):
        out[i] = A[i, 0] * v[0] + A[i, 1] * v[1] + A[i, 2] * v[2]
    return out


@njit(cache=True, nogil=True)
def about(axis, angle):
    """The turn about an axis (radians, right-handed; Rodrigues' formula)."""
    a = unit(axis)
    s, c = math.sin(angle), math.cos(angle)
    out = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            out[i, j] = (1 - c) * a[i] * a[j]
        out[i, i] += c
    out[0, 1] -= s * a[2]
    out[0, 2] += s * a[1]
    out[1, 0] += s * a[2]
    out[1, 2] -= s * a[0]
    out[2, 0] -= s * a[1]
    out[2, 1] += s * a[0]
    return out


@njit(cache=True, nogil=True)
def smallest(a, b):
    """The smallest turn that brings the direction of a to that of b."""
    first, second = unit(a), unit(b)
    cosine = dot(first, second)
    if cosine > 0.9999999:
        return np.eye(3)
    axis = cross(first, second)
    if cosine < -0.9999:  # any axis across will do
        across = np.zeros(3)
        across[0 if abs(first[0]) < 0.9 else 1] = 1
        return about(cross(first, across), math.pi)
    return about(axis, math.atan2(length(axis), cosine))


@njit(cache=True, nogil=True)
def frame(x, y):
    """Axes as columns: y kept, x made square to it, z across both."""
    up = unit(y)
    side = unit(x - dot(x, up) * up)
    if length(side) < 0.5:  # x along y
        side = np.zeros(3)
        side[0 if abs(up[0]) < 0.9 else 2] = 1
        side = unit(side - dot(side, up) * up)
    front = cross(side, up)
    out = np.empty((3, 3))
    out[:, 0], out[:, 1], out[:, 2] = side, up, front
    return out


@njit(cache=True, nogil=True)
def angle_between(A, B):
    """Radians of the turn from one to the other."""
    trace = 0.0
    for i in range(3):
        trace += A[0, i] * B[0, i] + A[1, i] * B[1, i] + A[2, i] * B[2, i]
    return math.acos(min(max((trace - 1) / 2, -1.0), 1.0))


@njit(cache=True, nogil=True)
def between(A, B, share):
    """The turn a share of the way from A to B."""
    R = product(A.T.copy(), B)
    angle = math.acos(min(max((R[0, 0] + R[1, 1] + R[2, 2] - 1) / 2, -1.0), 1.0))
    axis = np.empty(3)
    axis[0], axis[1], axis[2] = R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]
    if angle < 1e-4 or length(axis) < 1e-6:
        return A.copy()
    return product(A, about(axis, angle * share))


@njit(cache=True, nogil=True)
def angle_about(a, b, axis):
    """Radians that turn a to b about the axis, both seen along it; 0 when one lies on it."""
    w = unit(axis)
    p, q = a - dot(a, w) * w, b - dot(b, w) * w
    if length(p) < 1e-9 or length(q) < 1e-9:
        return 0.0
    return math.atan2(dot(cross(p, q), w), dot(p, q))


@njit(cache=True, nogil=True)
def ramp(low, high, x):
    """0 at low, 1 at high, smooth between (low may be the larger one)."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(cache=True, nogil=True)
def nearest_turn(C):
    """The rotation nearest to C in the sense of Kabsch, and the sum of its singular values, the
    least one negative where C mirrors.

    By the largest eigenvalue of Horn's matrix of quaternions ("Closed-form solution of absolute
    orientation", 1987): numba's own svd needs scipy.
    """
    N = np.zeros((4, 4))
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        N[0, 0] += C[i, i]
        N[i + 1, i + 1] = C[i, i] - C[j, j] - C[k, k]
        N[0, i + 1] = N[i + 1, 0] = C[k, j] - C[j, k]
        N[i + 1, j + 1] = N[j + 1, i + 1] = C[i, j] + C[j, i]
    values, vectors = _eigen(N)
    best = np.argmax(values)
    w, x, y, z = vectors[0, best], vectors[1, best], vectors[2, best], vectors[3, best]
    R = np.empty((3, 3))
    R[0, 0], R[0, 1], R[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    R[1, 0], R[1, 1], R[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    R[2, 0], R[2, 1], R[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    return R, values[best]


@njit(cache=True, nogil=True)
def _eigen(symmetric):
    """Eigenvalues (n,) and eigenvectors (n, n), in columns, of a small symmetric matrix: Jacobi's
    rotations, sweep by sweep."""
    A = symmetric.copy()
    n = len(A)
    V = np.eye(n)
    for _ in range(30):  # some six are enough
        rest = 0.0
        for p in range(n):
            for q in range(p + 1, n):
                rest = max(rest, abs(A[p, q]))
        if rest <= 1e-16 * np.abs(A).max():
            break
        for p in range(n):
            for q in range(p + 1, n):
                angle = 0.5 * math.atan2(2 * A[p, q], A[p, p] - A[q, q])
                c, s = math.cos(angle), math.sin(angle)
                for i in range(n):
                    A[i, p], A[i, q] = c * A[i, p] + s * A[i, q], c * A[i, q] - s * A[i, p]
                for i in range(n):
                    A[p, i], A[q, i] = c * A[p, i] + s * A[q, i], c * A[q, i] - s * A[p, i]
                for i in range(n):
                    V[i, p], V[i, q] = c * V[i, p] + s * V[i, q], c * V[i, q] - s * V[i, p]
    return np.diag(A).copy(), V
