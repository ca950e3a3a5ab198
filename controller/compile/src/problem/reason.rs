//! Every reason that a problem may have.

use std::fmt;

use serde::Serialize;

/// Whose change ends a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndedBy {
    /// That of the object which has it: what it says itself is wrong, or takes something from others.
    Itself,
    /// That of another object, which may come, or be repaired, after the one that names it.
    Another,
    /// That of another object, which takes something from the one that has the problem.
    Taker,
}

/// The one list of reasons: each says what it means, and whose change ends it.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident: $ended_by:ident,)+) => {
        /// What kind of problem it is: a word for events and metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Reason {
            $($(#[$doc])+ $name,)+
        }

        impl Reason {
            /// In CamelCase, as Kubernetes has reasons of Events.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            fn ended_by(self) -> EndedBy {
                match self {
                    $(Self::$name => EndedBy::$ended_by,)+
                }
            }
        }
    };
}

reasons! {
    /// An annotation has no meaning here.
    AnnotationIgnored: Itself,
    /// An annotation, or a part of its value, is not served yet.
    AnnotationNotServed: Itself,
    /// An annotation will not be served.
    AnnotationRefused: Itself,
    /// An annotation changes nothing beside what else holds for the Ingress.
    AnnotationVoid: Itself,
    /// Backends cannot be spoken to as the annotations want it.
    BackendRefused: Itself,
    /// The value of an annotation cannot be understood.
    BadAnnotation: Itself,
    /// The value of a field of parameters cannot be used.
    BadParameter: Itself,
    /// A key of a services map is no port.
    BadPort: Itself,
    /// A value of a services map names no service.
    BadService: Itself,
    /// The value of a setting cannot be used.
    BadSetting: Itself,
    /// An Ingress would serve hosts that it does not name, which is switched off.
    CatchAllDisabled: Itself,
    /// Two Ingresses name different Secrets for a host.
    CertificateConflict: Itself,
    /// A certificate is out of date.
    CertificateExpired: Itself,
    /// The certificate of a Secret is not for a host that names it.
    CertificateNotForHost: Another,
    /// A Secret has no certificate that can be used, or does not exist.
    CertificateUnusable: Another,
    /// A Secret has more CAs, or a larger list of what they revoked, than is read.
    ClientCaTooLarge: Itself,
    /// A Secret has no CA that clients' certificates could be verified by, or does not exist.
    ClientCaUnusable: Another,
    /// Two Ingresses of a host state different rules about client certificates.
    ClientCertConflict: Itself,
    /// The rule about client certificates of another Ingress holds on a host, whose own ones state none.
    ClientCertImposed: Taker,
    /// Client certificates are asked for, and plain HTTP is served beside.
    ClientCertInTheClear: Itself,
    /// A compile failed as a whole.
    CompileFailed: Itself,
    /// A ConfigMap that a flag names does not exist.
    ConfigMapNotFound: Itself,
    /// An object is in several files.
    DuplicateObject: Itself,
    /// Events cannot be written.
    EventNotWritten: Itself,
    /// A backend is a Service of type ExternalName, which are switched off.
    ExternalNameDisabled: Another,
    /// A file is no YAML or JSON.
    FileBroken: Itself,
    /// A file has nothing in it.
    FileEmpty: Itself,
    /// A file is too large to be read.
    FileTooLarge: Itself,
    /// A file cannot be read.
    FileUnreadable: Itself,
    /// Changes of a folder cannot be followed.
    FolderNotWatched: Itself,
    /// A folder is not there any more.
    FolderVanished: Itself,
    /// All paths of a host answer 503 on account of another Ingress.
    HostClosed: Taker,
    /// What is of a host as a whole is stated differently by another Ingress.
    HostConflict: Itself,
    /// A host has more paths than one may have.
    HostTooLarge: Itself,
    /// A backend is none.
    InvalidBackend: Itself,
    /// A Service of type ExternalName names no host.
    InvalidExternalName: Another,
    /// A host is none.
    InvalidHost: Itself,
    /// A path is none.
    InvalidPath: Itself,
    /// The certificate of who issued another one is not beside it.
    IssuerMissing: Itself,
    /// A document has no `apiVersion` or no `kind`.
    KindMissing: Itself,
    /// A document is of a kind that is not read.
    KindUnknown: Itself,
    /// Nobody can be elected.
    LeaderElectionFailed: Itself,
    /// An object has no name.
    NameMissing: Itself,
    /// A service has no endpoint.
    NoEndpoints: Another,
    /// A document is no object.
    NoObject: Itself,
    /// A service asks for the PROXY protocol where there is none.
    NoProxyProtocol: Itself,
    /// The addresses of nodes cannot be asked for.
    NodeAddressesUnknown: Itself,
    /// A kind may not be read.
    NotPermitted: Itself,
    /// An Ingress, or a rule, has no path.
    NothingToServe: Itself,
    /// An object is not of the form that its kind has.
    ObjectUnreadable: Itself,
    /// The parameters of a class do not exist.
    ParametersNotFound: Another,
    /// The parameters of a class are of another kind or scope.
    ParametersNotSupported: Itself,
    /// A host is handed on to several backends.
    PassthroughConflict: Itself,
    /// An Ingress is to be handed on, which is switched off.
    PassthroughDisabled: Itself,
    /// An Ingress is to be handed on, and names no host.
    PassthroughWithoutHost: Itself,
    /// An Ingress is to be handed on, and has no path `/`.
    PassthroughWithoutRoot: Itself,
    /// Two Ingresses have a path of a host.
    PathConflict: Itself,
    /// A path is below a host that is handed on as a whole.
    PathNotPassed: Itself,
    /// A setting restricts access to TCP and UDP services in a way that is not served.
    PortClosed: Another,
    /// A Service does not have the port.
    PortNotFound: Another,
    /// Somebody else has the port.
    PortTaken: Itself,
    /// Backends of a host are spoken to by TLS in different ways.
    ProxySslNotShared: Itself,
    /// The Service whose addresses are to be told does not exist.
    PublishServiceNotFound: Itself,
    /// The data plane cannot use a part of the snapshot.
    Rejected: Itself,
    /// Who else there is cannot be asked for.
    ReplicasUnknown: Itself,
    /// A backend is no Service.
    ResourceBackend: Itself,
    /// A Secret that an annotation names cannot be used, or does not exist.
    SecretUnusable: Another,
    /// The Service does not exist.
    ServiceNotFound: Another,
    /// A setting has no meaning here.
    SettingIgnored: Itself,
    /// A setting, or a part of its value, is not served yet.
    SettingNotServed: Itself,
    /// A setting will not be served.
    SettingRefused: Itself,
    /// The data plane refused a whole snapshot.
    SnapshotRejected: Itself,
    /// Somebody else writes the addresses of an Ingress too.
    StatusContested: Itself,
    /// Statuses cannot be written.
    StatusNotWritten: Itself,
    /// A port is named as the Service's `targetPort`.
    TargetPortNamed: Itself,
    /// An annotation is not known.
    UnknownAnnotation: Itself,
    /// A field of parameters is not known.
    UnknownParameter: Itself,
    /// A setting is not known.
    UnknownSetting: Itself,
    /// An object is of a version that is not read.
    VersionUnknown: Itself,
    /// A watch does not go on.
    WatchFailed: Itself,
    /// The webhook's certificate is out of date.
    WebhookCertificateExpired: Itself,
    /// The webhook's certificate will soon be out of date.
    WebhookCertificateExpiring: Itself,
    /// The webhook's certificate cannot be used.
    WebhookCertificateUnusable: Itself,
}

impl Reason {
    /// Whether it ends by a change of another object than the one that has the problem: a Service that is yet to be made,
    /// a Secret, an Ingress that has closed a host.
    pub fn awaits_other_object(self) -> bool {
        match self.ended_by() {
            EndedBy::Itself => false,
            EndedBy::Another | EndedBy::Taker => true,
        }
    }

    /// Whether something is taken from the object that has the problem, by the change that brings it.
    pub fn is_taken_away(self) -> bool {
        match self.ended_by() {
            EndedBy::Another => false,
            EndedBy::Itself | EndedBy::Taker => true,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_word_everywhere() {
        let reason = Reason::ServiceNotFound;
        assert_eq!((reason.to_string(), reason.as_str()), ("ServiceNotFound".to_owned(), "ServiceNotFound"));
        assert_eq!(serde_json::to_value(reason).unwrap(), "ServiceNotFound");
    }
}
