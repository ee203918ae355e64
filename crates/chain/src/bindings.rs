//! Solidity bindings, made from the committed artifacts.
#![allow(
    missing_docs,
    reason = "generated from the contracts, whose interfaces are the documentation"
)]
#![allow(clippy::all, clippy::pedantic, reason = "generated code")]

alloy_sol_types::sol!(
    #[sol(all_derives)]
    RulesSet,
    "../../contracts/artifacts/RulesSet.json"
);
alloy_sol_types::sol!(
    #[sol(all_derives)]
    ModelRegistry,
    "../../contracts/artifacts/ModelRegistry.json"
);
alloy_sol_types::sol!(
    #[sol(all_derives)]
    ProviderRegistry,
    "../../contracts/artifacts/ProviderRegistry.json"
);
alloy_sol_types::sol!(
    #[sol(all_derives)]
    Requests,
    "../../contracts/artifacts/Requests.json"
);
alloy_sol_types::sol!(
    #[sol(all_derives)]
    DisputeGame,
    "../../contracts/artifacts/DisputeGame.json"
);
