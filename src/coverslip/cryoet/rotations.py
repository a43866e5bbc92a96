"""Angles of programs -> rotation matrices.

A matrix here always takes the particle's own axes to those of the tomogram: ``matrix @ (0, 0, 1)`` is where the
particle's z axis points. Column vectors in the order x, y, z, right-handed, angles in degrees.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TOLERANCE = 1e-3
"""How far the product of a matrix with its transpose may be from 1: files hold few digits."""


def about(axis: str, degrees: "Floats") -> "Floats":
    """Return the right-handed rotations about one axis.

    Parameters
    ----------
    axis
        ``"x"``, ``"y"`` or ``"z"``.
    degrees
        Shape (n,).

    Returns
    -------
    numpy.ndarray
        Shape (n, 3, 3), float64.
    """
    angle = np.deg2rad(degrees)
    here = "xyz".index(axis)
    first, second = (here + 1) % 3, (here + 2) % 3
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, here, here] = 1.0
    matrix[:, first, first] = matrix[:, second, second] = np.cos(angle)
    matrix[:, second, first] = np.sin(angle)
    matrix[:, first, second] = -np.sin(angle)
    return matrix


def euler(axes: str, degrees: "Floats") -> "Floats":
    """Return the products of three rotations, first axis leftmost: about the axes of a body that turns with them.

    Parameters
    ----------
    axes
        Three letters, such as ``"zyz"``.
    degrees
        Shape (n, 3), in the order of the axes.

    Returns
    -------
    numpy.ndarray
        Shape (n, 3, 3), float64.
    """
    first, second, third = (about(axis, degrees[:, n]) for n, axis in enumerate(axes))
    return first @ second @ third


def relion(degrees: "Floats") -> "Floats":
    """Return the orientations of RELION's rot, tilt and psi.

    ``(Rz(rot) Ry(tilt) Rz(psi))`` transposed, which is the matrix of ``Euler_angles2matrix`` in RELION's ``euler.cpp``.
    RELION projects a reference by looking up ``A^-1 x`` for the point ``x`` of the image, so ``A`` takes the reference
    to the image: tilt and psi say where the particle's axis points, rot turns it about that axis.

    Parameters
    ----------
    degrees
        Shape (n, 3): rot, tilt, psi.
    """
    return np.swapaxes(euler("zyz", degrees), 1, 2)


def stopgap(degrees: "Floats") -> "Floats":
    """Return the orientations of STOPGAP's phi, psi and the: ``Rz(psi) Rx(the) Rz(phi)``, as in the TOM toolbox.

    The reference is turned by phi about its own axis, tilted about x, and turned by psi.

    Parameters
    ----------
    degrees
        Shape (n, 3): phi, psi, the, the order of the motive list.
    """
    return euler("zxz", degrees[:, [1, 2, 0]])


def dynamo(degrees: "Floats") -> "Floats":
    """Return the orientations of Dynamo's tdrot, tilt and narot: ``Rz(-tdrot) Rx(-tilt) Rz(-narot)``.

    tdrot is the direction of the tilt and narot turns about the new axis. Dynamo's own matrix, ``Rz(narot) Rx(tilt)
    Rz(tdrot)``, is the inverse; so say the conversions of the teamtomo packages ``eulerangles`` and ``cryohub``, and
    with it the same particle has phi = -narot, the = -tilt, psi = -tdrot in STOPGAP.

    Parameters
    ----------
    degrees
        Shape (n, 3): tdrot, tilt, narot.
    """
    return euler("zxz", -degrees)


def slicer(degrees: "Floats") -> "Floats":
    """Return the orientations of the angles of IMOD's slicer window: ``Rz(-z) Ry(-y) Rx(-x)``.

    The slicer turns the volume about Z, then Y, then X so that the particle lies like the reference; the orientation
    of the particle is the inverse of that (man pages of PEET's ``slicer2MOTL`` and of 3dmod's slicer window).

    Parameters
    ----------
    degrees
        Shape (n, 3): x, y, z.
    """
    return euler("zyx", -degrees[:, ::-1])


def first_that_is_none(matrices: "Floats") -> int | None:
    """Return the index of the first matrix that is no rotation, or ``None``.

    Parameters
    ----------
    matrices
        Shape (n, 3, 3), finite.
    """
    if not len(matrices):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(matrices @ np.swapaxes(matrices, 1, 2) - np.eye(3)).max(axis=(1, 2))
        wrong = ~((off < TOLERANCE) & (np.linalg.det(matrices) > 0))
    return int(np.argmax(wrong)) if wrong.any() else None
