"""What guided, cocos and fewshot share: one network each, trained in one stage."""
