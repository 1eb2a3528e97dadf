"""The paper's system by a runtime beside torch, on the CPU: the networks as graphs, the limb warp
and the maps as kernels, one target after the other."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dancepipe.nn.tensors import mask_to_network, to_mask, to_network, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import heat_maps
from dancepipe.pose.draw_kernels import draw_joint_map
from dancepipe.priors.limb_kernels import LimbWarper, WarpAt, mixed_copy
from dancepipe.priors.limb_warp import warp_source
from dancepipe.priors.prior import PriorAt
from dancepipe.runtime.graph import Arrays, Graph, open_graph
from dancepipe.systems.focus_retain.gated_copy import CopyPlan
from dancepipe.systems.focus_retain.graphs import draw_graph, refine_graph, state_of
from dancepipe.systems.focus_retain.larger import laid_over
from dancepipe.systems.focus_retain.networks import Networks
from dancepipe.systems.focus_retain.renderer import coarse_size, info_of
from dancepipe.systems.focus_retain.sizes import at_size, enlarged_pictures
from dancepipe.systems.system import Drawn, check_references, check_targets

if TYPE_CHECKING:
    from dancepipe.priors.body import BodyPrior


@dataclass(frozen=True, eq=False)
class _Person:
    """One reference, encoded."""

    state: Arrays
    warper: LimbWarper | None
    body: "BodyPrior | None"
    larger: "BodyPrior | None"  # at the size of the pictures, where that is another


@dataclass(frozen=True, eq=False)
class EncodedOn:
    """What serves any number of targets."""

    people: list[_Person]
    size_hw: tuple[int, int]
    coarse_hw: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Opened:
    """Graphs of one size."""

    draw: Graph
    refine: Graph | None


class FocusRetainOn:
    """A System (system.py). Gives what FocusRetain gives, but for rounding."""

    def __init__(self, networks: Networks, runtime: str, at_once: int):
        """at_once: how many targets are drawn side by side."""
        self._networks, self._runtime, self._at_once = networks, runtime, at_once
        self._prior = networks.dims.flow_attention.prior
        self.info = replace(info_of(networks), draws_at_once=at_once)
        self._opened: tuple[tuple[int, int], _Opened] | None = None
        self._pool = ThreadPoolExecutor(at_once, "draw") if at_once > 1 else None

    @torch.no_grad()
    def encode(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> EncodedOn:
        check_references(images, masks, poses)
        size_hw = images.shape[1], images.shape[2]
        people = [
            self._encoded(to_network(images[one]), mask_to_network(masks[one]), poses[one])
            for one in (slice(index, index + 1) for index in range(len(images)))
        ]
        return EncodedOn(people, size_hw, coarse_size(self._networks.dims, self.info, size_hw))

    @torch.no_grad()
    def draw(self, state: EncodedOn, targets: PoseBatch) -> Drawn:
        check_targets(len(state.people), targets)
        people = state.people * len(targets) if len(state.people) == 1 else state.people
        each = [targets[index] for index in range(len(targets))]
        work = partial(self._drawn, size_hw=state.size_hw, coarse_hw=state.coarse_hw)
        drawn = list((self._pool.map if self._pool else map)(work, people, each))
        pictures, mattes = (torch.cat(parts) for parts in zip(*drawn))
        return Drawn(to_picture(pictures), to_mask(mattes))

    def _encoded(self, image: Tensor, matte: Tensor, pose: PoseBatch) -> _Person:
        """image (1, 3, H, W), matte (1, 1, H, W)."""
        size_hw = image.shape[2], image.shape[3]
        coarse_hw = coarse_size(self._networks.dims, self.info, size_hw)
        I_r, matte_r = (at_size(one, coarse_hw) for one in (image, matte))
        coarse_pose = pose.shrunk(size_hw[0] / coarse_hw[0])
        S_r = heat_maps(coarse_pose.joints, *coarse_hw)
        J_r = torch.from_numpy(_joint_map(coarse_pose, coarse_hw))
        encoded = self._networks.flow_attention.encode_reference(I_r, S_r, J_r)  # once: by torch
        state = {name: one.contiguous().numpy() for name, one in state_of(encoded).items()}
        self._graphs(size_hw)
        warper = body = larger = None
        if self._prior == "limbs":
            source = warp_source(I_r, matte_r, coarse_pose.joints)
            warper = LimbWarper(source, coarse_pose.joints)
        elif self._prior == "body":
            from dancepipe.priors.body import BodyPrior

            body = BodyPrior(I_r, matte_r, coarse_pose)
            if self.info.draws_larger and size_hw != coarse_hw:
                larger = BodyPrior(image, matte, pose)
        return _Person(state, warper, body, larger)

    @torch.no_grad()
    def _drawn(
        self,
        person: _Person,
        target: PoseBatch,
        size_hw: tuple[int, int],
        coarse_hw: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        """Picture (1, 3, H, W) in [-1, 1] on grey, matte (1, 1, H, W) in [0, 1]."""
        coarse_target = target.shrunk(size_hw[0] / coarse_hw[0])
        J_t = _joint_map(coarse_target, coarse_hw)
        joints_t = coarse_target.joints.contiguous().numpy()
        inputs = {"joints_t": joints_t, "J_t": J_t, **person.state}
        draw = self._graphs(size_hw).draw
        if person.warper is not None:
            warp = person.warper.at(coarse_target.joints)
            made = draw.run({**inputs, "known": warp.known[None], "flow_4": warp.flow_4[None]})
            both = torch.from_numpy(_copied(person.warper, warp, made))[None]
            coarse, matte = both[:, :3], both[:, 3:]
        elif person.body is not None:
            prior = person.body.at(coarse_target)
            plan = _plan(draw.run(inputs | _prior_inputs(prior)))
            if person.larger is not None:
                return laid_over(person.larger, target, plan, size_hw)
            coarse, logits, _ = plan.over(prior.layers)
            matte = torch.sigmoid(logits)
        else:
            made = draw.run(inputs)
            coarse, matte = (
                torch.from_numpy(one) for one in (made["coarse"], made["matte_logits"])
            )
            matte = torch.sigmoid(matte)
        return self._refined(coarse, torch.logit(matte), target, size_hw)

    def _refined(
        self, coarse: Tensor, matte_logits: Tensor, target: PoseBatch, size_hw: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """By the enhancer, where there is one."""
        factor = self._networks.dims.enlarge
        coarse, matte_logits = (enlarged_pictures(one, factor) for one in (coarse, matte_logits))
        refine = self._graphs(size_hw).refine
        if refine is None:
            return coarse, torch.sigmoid(matte_logits)
        given = {"coarse": coarse.numpy(), "matte_logits": matte_logits.numpy()}
        made = refine.run({**given, "J_t": _joint_map(target, size_hw)})
        return torch.from_numpy(made["picture"]), torch.from_numpy(made["matte"])

    def _graphs(self, size_hw: tuple[int, int]) -> _Opened:
        """Those of the last size are kept."""
        if self._opened is None or self._opened[0] != size_hw:
            networks = self._networks
            coarse_hw = coarse_size(networks.dims, self.info, size_hw)
            enhancer = networks.enhancer
            draw = self._open(draw_graph(networks.flow_attention, coarse_hw))
            refine = None if enhancer is None else self._open(refine_graph(enhancer, size_hw))
            self._opened = size_hw, _Opened(draw, refine)
        return self._opened[1]

    def _open(self, content: bytes) -> Graph:
        return open_graph(self._runtime, content, self._at_once)


def _joint_map(pose: PoseBatch, size_hw: tuple[int, int]) -> np.ndarray:
    """J (1, 3, H, W) of one person."""
    J = np.empty((1, 3, *size_hw), np.float32)
    draw_joint_map(pose.joints[0].numpy(), J[0])
    return J


def _copied(warper: LimbWarper, warp: WarpAt, made: Arrays) -> np.ndarray:
    gate, move, synthesis, matte = (
        made[name][0] for name in ("gate", "move", "made", "made_matte")
    )
    return mixed_copy(warper.pixels, warp, gate[0], move, synthesis, matte[0])


def _prior_inputs(prior: PriorAt) -> dict[str, np.ndarray]:
    return {"known": prior.inputs().contiguous().numpy(), "flow_4": prior.flow_4.numpy()}


def _plan(made: Arrays) -> CopyPlan:
    values = {name: torch.from_numpy(value) for name, value in made.items()}
    return CopyPlan(**values)
